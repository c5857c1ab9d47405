from __future__ import annotations

import pytest

from pipeline.wording import readable, several


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cats", "cats"),
        ("two\nlines\r\tand\u2028more ", "two lines and more"),
        ("\x1b[31mred\x07", "�[31mred�"),
        ("left\u202eright", "left�right"),
        ("bad \udce9 byte", "bad � byte"),
        ("می\N{ZERO WIDTH NON-JOINER}خواهم", "می\N{ZERO WIDTH NON-JOINER}خواهم"),
        ("", "�"),
        (" \n", "�"),
    ],
)
def test_nothing_that_steers_a_terminal_is_left(name, expected):
    assert readable(name) == expected


@pytest.mark.parametrize("limit", [3, 4, 9, 10])
def test_long_names_lose_their_middle(limit):
    short = readable("n02085620-Chihuahua", limit)
    assert len(short) == limit
    assert short.startswith("n")
    assert short.endswith("a")
    assert "…" in short


def test_a_name_of_just_the_limit_is_left_alone():
    assert readable("abcde", 5) == "abcde"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "class0"),
        (5, "class0, class1, class2, class3, class4"),
        (1005, "class0, class1, class2, class3, class4 and 1,000 more"),
    ],
)
def test_of_many_names_the_first_are_given_and_the_others_counted(count, expected):
    assert several([f"class{i}" for i in range(count)]) == expected
