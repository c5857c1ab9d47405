"""Parts: the names of a split's files, and when a split is whole."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.cache.shards import RowMap, ShardName, shards_of, whole_splits
from pipeline.images import SPLITS


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    ("number", "count"), [(0, 1), (0, 2), (1, 2), (7, 8), (99_999, 100_000), (10**5, 10**6)]
)
def test_a_name_is_read_again(split: str, number: int, count: int) -> None:
    shard = ShardName(split, number, count)
    assert ShardName.of(shard.name) == shard


def test_names_sort_as_their_files_do() -> None:
    names = [shard.name for shard in shards_of("train", 11)]
    assert names == sorted(names)
    assert names[10] == "train-00010-of-00011"
    assert [shard.name for shard in shards_of("val", 1)] == ["val"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Train",
        "validation",
        "train-0-of-2",
        "train-00002-of-00002",
        "train-00000-of-00001",
        "train-00000-of-00000",
        "train-000001-of-00002",
        "pets-00000-of-00002",
        "train-00000-of-00002-of-00003",
        "../train-00000-of-00002",
        "train-0000\u0661-of-00002",
        "train-00000-of-00002\n",
    ],
)
def test_other_names_are_no_parts(name: str) -> None:
    assert ShardName.of(name) is None


def test_a_split_is_whole_when_no_file_is_missing() -> None:
    names = ["test", "train-00000-of-00003", "train-00002-of-00003", "val-00001-of-00002", "notes"]
    assert whole_splits(names) == {"test": [ShardName("test")]}
    found = whole_splits([*names, "train-00001-of-00003"])
    assert list(found) == ["train", "test"]
    assert found["train"] == shards_of("train", 3)


def test_of_two_whole_sets_the_one_of_more_files_counts() -> None:
    names = [shard.name for count in (1, 2, 3) for shard in shards_of("val", count)]
    assert whole_splits(names) == {"val": shards_of("val", 3)}
    assert whole_splits(names[:-1]) == {"val": shards_of("val", 2)}


@pytest.mark.parametrize("lengths", [[], [0], [3], [2, 3], [0, 2, 0, 0, 3, 1, 0]], ids=str)
def test_each_row_has_its_place(lengths: list[int]) -> None:
    places = [(file, row) for file, length in enumerate(lengths) for row in range(length)]
    rows = RowMap(lengths)
    assert len(rows) == len(places)
    numbers = np.arange(len(places))
    for wanted in (numbers, numbers[::2], numbers[1:2], numbers[-1:]):
        found = [(file, row) for file, _, local in rows.split(wanted) for row in local.tolist()]
        assert found == [places[g] for g in wanted]
        assert [g for _, inside, _ in rows.split(wanted) for g in wanted[inside]] == wanted.tolist()
    file, row = rows.locate(numbers[::-1])
    assert list(zip(file.tolist(), row.tolist(), strict=True)) == places[::-1]
    assert list(map(len, rows.by_file(numbers))) == lengths
    assert [row for part in rows.by_file(numbers) for row in part] == numbers.tolist()
