"""Portions: every image is in one file, no file is too long, and small splits are filled together."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest

from pipeline.extraction.plan import cut_portions

SIZES = [{"train": 1}, {"train": 10, "val": 3, "test": 2}, {"val": 7, "test": 7}, {"train": 100, "test": 1}]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("rows", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("views", [0, 1, 4])
def test_every_image_is_in_one_file(sizes: dict[str, int], rows: int, views: int) -> None:
    stretches = [stretch for portion in cut_portions(sizes, rows, views=views) for stretch in portion]
    images, files = defaultdict(list), defaultdict(list)
    for stretch in stretches:
        images[stretch.part.split] += range(stretch.start, stretch.stop)
        files[stretch.part.split].append(stretch.part)
        each = 1 + (views if stretch.part.split == "train" else 0)
        count = stretch.stop - stretch.start
        assert count >= 1
        assert count * each <= rows or count == 1
    assert images == {split: list(range(count)) for split, count in sizes.items()}
    for parts in files.values():
        assert [(part.number, part.count) for part in parts] == [(i, len(parts)) for i in range(len(parts))]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("rows", [1, 2, 3, 10, 1000])
def test_a_portion_is_no_larger_than_a_full_file(sizes: dict[str, int], rows: int) -> None:
    portions = cut_portions(sizes, rows)
    lengths = [sum(stretch.stop - stretch.start for stretch in portion) for portion in portions]
    assert all(0 < length <= rows for length in lengths)
    assert all(one + later > rows for one, later in itertools.pairwise(lengths))


def test_what_fits_one_file_is_one_portion() -> None:
    (portion,) = cut_portions({"train": 700, "val": 150, "test": 150}, 1000)
    assert [stretch.part.name for stretch in portion] == ["train", "val", "test"]
    assert len(cut_portions({"train": 700, "val": 150, "test": 151}, 1000)) == 2
