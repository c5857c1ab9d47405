"""The rows that a run of stage one is to bring about, over all splits of a source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from pipeline.errors import PipelineError
from pipeline.images import ImageItem
from pipeline.images.catalog import Catalog
from pipeline.images.rows import Rows


@dataclass(frozen=True, eq=False)
class Wanted:
    """Wanted rows; row g counts through the splits in order.

    Attributes:
        rows: Per split, its rows.
        items: The image of each wanted row g.
    """

    rows: dict[str, Rows]
    items: list[ImageItem]

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
        """Counts the True values of a mask, bool (G,), per split."""
        ends = np.cumsum([len(rows) for rows in self.rows.values()])
        parts = np.split(mask, ends[:-1])
        return {split: int(part.sum()) for split, part in zip(self.rows, parts, strict=True)}


def wanted_rows(catalog: Catalog, without: Collection[str] = (), *, views: int = 0) -> Wanted:
    """Lists what a catalog asks for.

    Args:
        catalog: Images of all splits.
        without: Names of images to leave out.
        views: Augmented views of each *training* image, which follow it; other splits have none.

    Raises:
        PipelineError: Nothing is left.
    """
    rows, items = {}, []
    for split, listed in catalog.splits.items():
        keep = np.array([name not in without for name in listed.ids], bool)
        if keep.any():
            each = 1 + (views if split == "train" else 0)
            index = np.repeat(np.flatnonzero(keep), each)
            numbers = np.tile(np.arange(each, dtype=np.uint8), int(keep.sum()))
            rows[split] = replace(listed.take(index), views=numbers)
            items += [catalog.items[split][i] for i in index]
    if not items:
        raise PipelineError(
            f"no image of {catalog.source.uri} can be read: check the files, or give another --data"
        )
    return Wanted(rows, items)
