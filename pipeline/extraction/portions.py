"""Portions: stage one goes through a source in pieces that fit the memory, file by file of the cache."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.cache.parts import Part, parts_of

DEFAULT_ROWS_PER_FILE = 2**20


@dataclass(frozen=True)
class Stretch:
    """The images of one file: a stretch of the list of a split.

    Attributes:
        part: The file.
        start: The first image.
        stop: One more than the last.
    """

    part: Part
    start: int
    stop: int

    def rows(self, views: int) -> int:
        """Counts its rows; every *training* image has so many augmented views beside itself."""
        return (self.stop - self.start) * rows_an_image(self.part.split, views)


Portion = tuple[Stretch, ...]
"""Files that are filled together."""


def rows_an_image(split: str, views: int) -> int:
    """Counts the rows of an image: itself, and in ``train`` its augmented views."""
    return 1 + (views if split == "train" else 0)


def cut_portions(sizes: Mapping[str, int], rows_per_file: int, *, views: int = 0) -> list[Portion]:
    """Cuts the splits of a source into files, and the files into portions.

    A portion is made of whole files, as many as have the rows of one full file together, one at least. So a
    source that fits one file a split and is small is one portion.

    Args:
        sizes: Images of each split.
        rows_per_file: Most rows of a file; one of a single image has all of its views, however many.
        views: Augmented views of each *training* image; other splits have none.
    """
    portions: list[Portion] = []
    rows_before = rows_per_file
    for split, images in sizes.items():
        images_per_file = max(1, rows_per_file // rows_an_image(split, views))
        for part in parts_of(split, max(1, math.ceil(images / images_per_file))):
            start = part.number * images_per_file
            stretch = Stretch(part, start, min(start + images_per_file, images))
            rows = stretch.rows(views)
            if rows_before + rows > rows_per_file:
                portions.append(())
                rows_before = 0
            portions[-1] += (stretch,)
            rows_before += rows
    return portions
