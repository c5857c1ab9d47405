"""Images as rows of a table: one a row, of any kind, perhaps the same one in several rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.errors import UsageError
from pipeline.images.given import GivenImages, gather_images
from pipeline.images.manifest import Manifest, scan
from pipeline.images.row_table import RowTable
from pipeline.paths import expanded

SPLIT = "test"
"""Where all of them are: of training images some would be taken for val."""


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Images, one a row.

    Attributes:
        source: The m distinct ones, as far as their paths tell, as a data set named after its content.
        manifest: Their digests.
        order: int (n,), which of them each row is.
    """

    source: GivenImages
    manifest: Manifest
    order: np.ndarray

    @property
    def images(self) -> RowTable:
        """The distinct images."""
        return self.manifest.splits[SPLIT]

    def only(self, which: np.ndarray) -> GivenImages:
        """Returns some of the distinct images, int (k,), as a source of their own."""
        listed = self.manifest.items[SPLIT].take(which)
        return replace(self.source, listed=listed, name=_name(self.images.digests[which]))


def gather_rows(rows: Any, stat_cache: Path | None = None) -> GivenRows:
    """Takes rows for images, and finds out what is in them.

    Args:
        rows: Paths, encoded images as bytes, Pillow images, or uint8 arrays (H, W, 3), as a list, an array or
            a pandas column; or one array (n, H, W, 3).
        stat_cache: SQLite file with the digests of unchanged files; None = no cache.

    Raises:
        UsageError: A row is no image, or ``rows`` is one image.
        UnreadableImagesError: Not one can be read.
    """
    given, order = _distinct(_as_list(rows))
    source = gather_images(given, split=SPLIT)
    manifest = scan(source, stat_cache)
    named = replace(source, name=_name(manifest.splits[SPLIT].digests))
    return GivenRows(named, manifest, order)


def _name(digests: np.ndarray) -> str:
    return f"images-{hashlib.sha256(np.ascontiguousarray(digests).data).hexdigest()[:12]}"


def _as_list(rows: Any) -> list[Any]:
    if isinstance(rows, str | os.PathLike | bytes | Image.Image):
        raise UsageError(f"this is one image ({type(rows).__name__}): give a list of images")
    if isinstance(rows, np.ndarray) and rows.ndim == 3:
        raise UsageError(f"this is one image {rows.shape}: give a list of images, or an array (n, H, W, 3)")
    table = np.asarray(rows, object) if hasattr(rows, "to_numpy") else rows
    if isinstance(table, np.ndarray) and table.ndim == 2 and table.shape[1] == 1:
        table = table[:, 0]
    try:
        return list(table)
    except TypeError:
        raise UsageError(f"{type(rows).__name__} is no list of images") from None


def _distinct(rows: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
    """Returns every image once, as far as paths tell, and int (n,), which of them each row is."""
    known: dict[Hashable, int] = {}
    given: list[Any] = []
    order = np.zeros(len(rows), np.intp)
    for place, row in enumerate(rows):
        key: Hashable = place
        if isinstance(row, str | os.PathLike):
            row = expanded(row)
            key = str(row)
            if row.is_dir():
                raise UsageError(f"row {place} is a folder, {key!r}: every row is one image")
        elif isinstance(row, np.ndarray) and row.ndim == 4:
            raise UsageError(f"row {place} is an array {row.shape}: every row is one image (H, W, 3)")
        order[place] = known.setdefault(key, len(given))
        if order[place] == len(given):
            given.append(row)
    return given, order
