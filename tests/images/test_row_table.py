from __future__ import annotations

import pickle

import numpy as np
import pytest

from pipeline.images.packed_strings import Categorical, PackedStrings
from pipeline.images.row_table import RowTable

NAMES = [f"ü{i}.png" for i in range(12)]
GROUPS = ["", "a", "b"] * 4


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
