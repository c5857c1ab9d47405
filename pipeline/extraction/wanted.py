"""The rows that stage one is to bring about in some files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.extraction.portions import Portion, rows_an_image
from pipeline.images import ImageItem
from pipeline.images.catalog import Catalog
from pipeline.images.image_list import ImageList
from pipeline.images.rows import Rows


@dataclass(frozen=True, eq=False)
class Wanted:
    """Wanted rows; row g counts through the files in order.

    Attributes:
        rows: By the name of the part, its rows; at least one part.
        items: The image of each wanted row g.
    """

    rows: dict[str, Rows]
    items: Sequence[ImageItem]

    @property
    def keys(self) -> np.ndarray:
        """Identifies the features of each wanted row, void (G,)."""
        return np.concatenate([rows.keys for rows in self.rows.values()])

    @property
    def views(self) -> np.ndarray:
        """Number of each wanted row's view, uint8 (G,)."""
        return np.concatenate([rows.views for rows in self.rows.values()])

    @property
    def digests(self) -> np.ndarray:
        """uint8 (G, 32), SHA-256 of each wanted row's image."""
        return np.concatenate([rows.digests for rows in self.rows.values()])

    def count(self, mask: np.ndarray) -> dict[str, int]:
        """Counts the True values of a mask, bool (G,), per part."""
        ends = np.cumsum([len(rows) for rows in self.rows.values()])
        parts = np.split(mask, ends[:-1])
        return {name: int(part.sum()) for name, part in zip(self.rows, parts, strict=True)}


def wanted_rows(
    catalog: Catalog, portion: Portion, without: Collection[str] = (), *, views: int = 0
) -> Wanted:
    """Lists what the files of a portion shall hold.

    Args:
        catalog: Images of all splits.
        portion: The files.
        without: Names of images to leave out; the only file of a split with no other image is left out, too.
        views: Augmented views of each *training* image, which follow it; other splits have none.
    """
    rows: dict[str, Rows] = {}
    items: list[ImageList] = []
    for stretch in portion:
        listed, split = catalog.splits[stretch.part.split], stretch.part.split
        keep = np.arange(stretch.start, stretch.stop)
        if without:
            names = listed.ids[stretch.start : stretch.stop]
            keep = keep[np.array([name not in without for name in names], bool)]
        if len(keep) or stretch.part.count > 1:
            each = rows_an_image(split, views)
            index = np.repeat(keep, each)
            numbers = np.tile(np.arange(each, dtype=np.uint8), len(keep))
            rows[stretch.part.name] = replace(listed.take(index), views=numbers)
            items.append(catalog.items[split].take(index))
    return Wanted(rows, ImageList.joined(items) if items else [])
