from __future__ import annotations

import pickle

import numpy as np
import pytest

from pipeline.images.packed_strings import Categorical, PackedStrings
from pipeline.images.row_table import RowTable

NAMES = [f"ü{i}.png" for i in range(12)]
GROUPS = ["", "a", "b"] * 4
OF_BEFORE = "5975a77dfa505d30be7d19cd79066e7e40ac2fdf51ab177e3c8aa5cb793651e2"
"""The fingerprint that these rows had before there were targets."""


@pytest.fixture(params=["lists", "columns"])
def rows(request):
    """Twelve rows whose names are lists of texts, or columns."""
    codes = np.array([-1, 0, 1] * 4, np.int8)
    ids, groups = (
        (NAMES, GROUPS) if request.param == "lists" else (PackedStrings.of(NAMES), Categorical(codes, "ab"))
    )
    digests = np.arange(12 * 32, dtype=np.uint16).astype(np.uint8).reshape(12, 32)
    return RowTable(ids, np.arange(12, dtype=np.int32), digests, np.zeros(12, np.uint8), groups)


INDICES = [
    slice(3, 7),
    slice(None, None, -2),
    np.array([4, 5, 6]),
    np.array([6, 6, 0, -1]),
    np.array([], int),
    np.arange(12) % 5 == 0,
    np.zeros(12, bool),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_all_columns_of_taken_rows_belong_together(index, rows):
    taken, expected = rows.take(index), np.arange(12)[index].tolist()
    assert len(taken) == len(expected)
    assert taken.ids == [NAMES[i] for i in expected]
    assert taken.groups == [GROUPS[i] for i in expected]
    assert taken.labels.tolist() == expected
    np.testing.assert_array_equal(taken.digests, rows.digests[expected])
    assert len(taken.views) == len(taken.keys) == len(expected)
    assert taken.labels.dtype == np.int32
    assert taken.digests.shape == (len(expected), 32)


def test_rows_are_equal_whatever_holds_their_names(rows):
    other = RowTable(tuple(NAMES), rows.labels, rows.digests, rows.views, tuple(GROUPS))
    assert rows.equals(other)
    assert other.equals(rows)
    assert rows.equals(pickle.loads(pickle.dumps(rows)))  # noqa: S301 - made on the line itself
    assert not rows.equals(rows.take(slice(11)))
    renamed = RowTable([*NAMES[:-1], "x"], rows.labels, rows.digests, rows.views, GROUPS)
    regrouped = RowTable(NAMES, rows.labels, rows.digests, rows.views, [*GROUPS[:-1], "x"])
    assert not rows.equals(renamed)
    assert not rows.equals(regrouped)


def test_rows_without_groups_have_empty_ones():
    rows = RowTable(["a", "b"], np.zeros(2, np.int32), np.zeros((2, 32), np.uint8), np.zeros(2, np.uint8))
    assert rows.groups == ["", ""]
    assert rows.take(np.array([1, 0, 1])).groups == [""] * 3


def test_rows_that_follow_one_another_are_not_copied(rows):
    taken = rows.take(np.arange(2, 9))
    assert np.shares_memory(taken.digests, rows.digests)
    assert np.shares_memory(taken.labels, rows.labels)
    assert not np.shares_memory(rows.take(np.array([2, 4])).digests, rows.digests)


def with_targets(rows, targets):
    return RowTable(rows.ids, rows.labels, rows.digests, rows.views, rows.groups, targets)


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_targets_belong_to_their_rows(index, rows):
    targets = np.arange(24, dtype=np.float32).reshape(12, 2)
    taken = with_targets(rows, targets).take(index)
    np.testing.assert_array_equal(taken.targets, targets[index])
    assert rows.take(index).targets.shape == (len(taken), 0)


def test_tables_with_targets_are_joined_and_compared(rows):
    targets = np.full((12, 2), np.nan, np.float32)
    targets[3] = 1, 0
    one = with_targets(rows, targets)
    joined = RowTable.joined([one.take(slice(5)), one.take(slice(5, 12))])
    assert joined.equals(one)
    assert joined.targets.dtype == np.float32
    assert not one.equals(rows)
    changed = targets.copy()
    changed[4] = 0
    assert not one.equals(with_targets(rows, changed))


def test_fingerprints_change_with_targets_and_not_without(rows):
    targets = np.zeros((12, 1), np.float32)
    found = {with_targets(rows, value).fingerprint() for value in (None, targets, targets + 1)}
    assert len(found) == 3
    assert rows.fingerprint() in found
    assert rows.fingerprint() == OF_BEFORE
