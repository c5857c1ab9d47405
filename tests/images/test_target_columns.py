"""Targets: several labels and numbers as columns, with what is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.images.targets import (
    CLASS,
    KINDS,
    LABELS,
    NOUNS,
    NUMBER,
    TargetTable,
    are_marks,
    count_targets,
    described,
    known_rows,
    lost_digits,
    no_targets,
    renamed,
    same_rows,
    same_targets,
    spans_of,
)

NAN = np.nan
MARKS = np.array([[1, 0], [0, 0], [NAN, 1], [NAN, NAN]], np.float32)
NUMBERS = np.array([[1.5, NAN], [3, NAN], [NAN, NAN], [2, NAN]], np.float32)


def test_every_kind_has_words() -> None:
    assert all(described(kind) and NOUNS[kind] for kind in KINDS)
    assert len({described(kind) for kind in KINDS}) == len(KINDS)


def test_rows_of_which_something_is_known() -> None:
    assert known_rows(MARKS).tolist() == [True, True, True, False]
    assert known_rows(no_targets(2)).tolist() == [False, False]


def test_labels_count_where_they_are_and_numbers_where_they_are_known() -> None:
    counts, unknown = count_targets(MARKS, LABELS)
    assert (counts.tolist(), unknown) == ([1, 1], 1)
    counts, unknown = count_targets(NUMBERS, NUMBER)
    assert (counts.tolist(), unknown) == ([3, 0], 1)


def test_spans_pass_over_what_is_unknown() -> None:
    np.testing.assert_array_equal(spans_of(NUMBERS), [[1.5, 2, 3], [NAN, NAN, NAN]])
    assert spans_of(no_targets(3)).shape == (0, 3)


def test_unknown_is_the_same_as_unknown_and_as_nothing_else() -> None:
    other = MARKS.copy()
    assert same_targets(MARKS, other)
    other[2, 0] = 0
    assert not same_targets(MARKS, other)
    assert not same_targets(MARKS, MARKS[:, :1])
    assert same_rows(MARKS, other).tolist() == [True, True, False, True]


def test_labels_are_marks() -> None:
    assert are_marks(MARKS).all()
    assert are_marks(np.array([[1, 2, -1, 0.5, np.inf]])).tolist() == [[True, False, False, False, False]]


def test_under_other_names_a_new_label_is_not_there_and_a_new_number_is_unknown() -> None:
    found = renamed(MARKS, LABELS, ("a", "b"), ("b", "new", "a"))
    np.testing.assert_array_equal(found, [[0, 0, 1], [0, 0, 0], [1, 0, NAN], [NAN, NAN, NAN]])
    found = renamed(NUMBERS, NUMBER, ("a", "b"), ("new", "a"))
    np.testing.assert_array_equal(found, [[NAN, 1.5], [NAN, 3], [NAN, NAN], [NAN, 2]])
    assert renamed(no_targets(2), CLASS, (), ()).shape == (2, 0)


@pytest.mark.parametrize("labels", [[0, 1, -1, 0], []])
def test_a_table_gives_the_targets_of_labels(labels: list[int]) -> None:
    table = TargetTable(LABELS, ("a", "b"), np.array([[1, 0], [0, 1]]))
    found = table.of(np.array(labels, np.int32))
    assert (found.dtype, found.shape) == (np.float32, (len(labels), 2))
    expected = [{0: [1, 0], 1: [0, 1], -1: [NAN, NAN]}[label] for label in labels]
    np.testing.assert_array_equal(found, np.array(expected).reshape(-1, 2))


@pytest.mark.parametrize(
    "values",
    [[0.1, 0.2, NAN], [1000001.0, 1000002.0, 1000003.0], [1e-9, 2e-9, 3e-9], [NAN, NAN, NAN], [0.1] * 3],
)
def test_numbers_that_float32_tells_apart_need_no_word(values: list[float]) -> None:
    assert lost_digits(np.array(values)[:, None], ["weight"]) == []


def test_numbers_that_float32_cannot_tell_apart_are_told() -> None:
    seconds = 1_700_000_000 + np.arange(40.0)
    (note,) = lost_digits(np.stack([seconds - seconds[0], seconds], axis=1), ["from the first", "time"])
    assert "time" in note
    assert "1700000039" in note
    assert "subtracting" in note
