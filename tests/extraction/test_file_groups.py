"""Portions: every image is in one file, no file is too long, and small splits are filled together."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest

from pipeline.extraction.plan import group_files

SIZES = [{"train": 1}, {"train": 10, "val": 3, "test": 2}, {"val": 7, "test": 7}, {"train": 100, "test": 1}]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("rows", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("views", [0, 1, 4])
def test_every_image_is_in_one_file(sizes: dict[str, int], rows: int, views: int) -> None:
    stretches = [span for group in group_files(sizes, rows, views=views) for span in group]
    images, files = defaultdict(list), defaultdict(list)
    for span in stretches:
        images[span.shard.split] += range(span.start, span.stop)
        files[span.shard.split].append(span.shard)
        each = 1 + (views if span.shard.split == "train" else 0)
        count = span.stop - span.start
        assert count >= 1
        assert count * each <= rows or count == 1
    assert images == {split: list(range(count)) for split, count in sizes.items()}
    for shards in files.values():
        assert [(shard.number, shard.count) for shard in shards] == [
            (i, len(shards)) for i in range(len(shards))
        ]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("rows", [1, 2, 3, 10, 1000])
def test_a_portion_is_no_larger_than_a_full_file(sizes: dict[str, int], rows: int) -> None:
    groups = group_files(sizes, rows)
    lengths = [sum(span.stop - span.start for span in group) for group in groups]
    assert all(0 < length <= rows for length in lengths)
    assert all(one + later > rows for one, later in itertools.pairwise(lengths))


def test_what_fits_one_file_is_one_portion() -> None:
    (group,) = group_files({"train": 700, "val": 150, "test": 150}, 1000)
    assert [span.shard.name for span in group] == ["train", "val", "test"]
    assert len(group_files({"train": 700, "val": 150, "test": 151}, 1000)) == 2
