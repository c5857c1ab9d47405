"""FeatureSet: published rows, read without a copy and checked where they are used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet, open_features
from pipeline.cache.entries import Entry
from pipeline.errors import UsageError
from pipeline.images.row_table import RowTable

NAMES = [f"train/cats/{i}.png" for i in range(11)]


@pytest.fixture
def features(publish: Callable[..., Path], entry: Entry) -> FeatureSet:
    publish(NAMES)
    return open_features(entry, "train")


@pytest.fixture
def values(make_rows: Callable[..., RowTable], make_values: Callable[..., np.ndarray]) -> np.ndarray:
    return make_values(make_rows(NAMES))


def test_everything_about_the_rows_is_there(features: FeatureSet, entry: Entry) -> None:
    assert len(features) == len(NAMES)
    assert features.rows.ids == NAMES
    assert features.labels.dtype == np.int32
    assert (features.classes, features.split, features.dataset) == (("cats", "dogs"), "train", "toy")
    assert features.spec == entry.spec
    assert features.feature_shape == (2, 3)
    assert features.path == entry.file("train")


def test_rows_are_mapped_not_read(features: FeatureSet) -> None:
    assert isinstance(features.features, np.memmap)
    assert not features.features.flags.writeable


def test_to_memory_is_a_copy(features: FeatureSet, values: np.ndarray) -> None:
    whole = features.to_memory()
    np.testing.assert_array_equal(whole, values)
    whole[:] = 0
    np.testing.assert_array_equal(features.to_memory(), values)


@pytest.mark.parametrize("index", [[3], [5, 0, 5], [], [*range(11)]])
def test_rows_come_in_the_order_asked_for(index: list[int], features: FeatureSet, values: np.ndarray) -> None:
    picked = features.read(np.array(index, int))
    np.testing.assert_array_equal(picked, values[np.array(index, int)])


@pytest.mark.parametrize("seed", [None, 0, 7])
@pytest.mark.parametrize("size", [1, 4, 11, 100])
def test_batches_hold_every_row_once(
    size: int, seed: int | None, features: FeatureSet, values: np.ndarray
) -> None:
    batches = list(features.batches(size, seed=seed))
    assert all(len(block) == len(labels) == size for block, labels in batches[:-1])
    block = np.concatenate([block for block, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    order = [next(i for i, row in enumerate(values) if np.array_equal(row, got)) for got in block]
    assert sorted(order) == list(range(11))
    assert labels.tolist() == features.labels[order].tolist()
    assert (order == list(range(11))) == (seed is None)


def test_the_order_follows_the_seed(features: FeatureSet) -> None:
    first, again, other = (
        np.concatenate([block for block, _ in features.batches(3, seed=seed)]) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_split_that_is_not_there_is_named_with_those_that_are(features: FeatureSet, entry: Entry) -> None:
    with pytest.raises(
        UsageError,
        match=r"split 'test' is not in .*: it holds train. Run `pipeline extract --data /somewhere/toy`",
    ):
        open_features(entry, "test")


def test_an_entry_without_splits_says_so(entry: Entry) -> None:
    with pytest.raises(UsageError, match=r"split 'train' is not in .*: it holds none"):
        open_features(entry, "train")
