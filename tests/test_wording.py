"""Words as people read them: names made harmless, names counted, and cells that no spreadsheet runs."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.wording import guarded, in_its_unit, number_text, readable, several

FORMULAS = (
    "=1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1-1",
    "-3=1",
    "-3+cmd|' /C calc'!A0",
    "--3",
    "-",
    "+",
    "-e5",
    "-3 ",
    "-3\n",
    "-inf",
    "-\N{ARABIC-INDIC DIGIT THREE}",
    "@SUM(A1)",
    "\tx",
    "\r=1",
    "\n=1",
    "'quoted'",
    "'",
)
HARMLESS = ("-3", "+3", "-0.5", "-.5", "-5.", "+1e5", "-1.5E-3", "3", "cat", "a-1", "a=1", "", " =1")


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


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_other_text_stay_as_they_are(text):
    assert guarded(text) == text


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_every_text_comes_back(text):
    assert guarded(text).removeprefix("'") == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1000003.0, "1000003"), (float(np.float32(0.1)), "0.1"), (-26.16457, "-26.16457"), (0.0, "0")],
)
def test_numbers_have_the_digits_that_float32_holds(value, expected):
    assert number_text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3.00968, "3.0097"), (4.694e-08, "4.694e-08"), (2.5e8, "2.5e+08"), (0.0, "0.0000")],
)
def test_figures_with_a_unit_have_their_first_digits(value, expected):
    assert in_its_unit(value) == expected
