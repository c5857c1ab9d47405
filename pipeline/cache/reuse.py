"""Rows already computed anywhere in the cache under the same spec: the reason nothing is computed twice."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.cache.entries import FEATURE_FILES, all_entries
from pipeline.cache.filling import PartialFile
from pipeline.cache.layout import Layout, open_layout
from pipeline.cache.mapping import open_mapped
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.spec import FeatureSpec


@dataclass(frozen=True, eq=False)
class StoredRows:
    """All done rows of a spec in a cache, in every data set, split, partial and retired file.

    Attributes:
        layouts: The files.
        keys: void (S,), what identifies each row (see ``Rows.keys``).
        file: int (S,), index into ``layouts``.
        row: int (S,), row number in that file.
    """

    layouts: tuple[Layout, ...]
    keys: np.ndarray
    file: np.ndarray
    row: np.ndarray

    @property
    def feature_shape(self) -> tuple[int, ...] | None:
        """Shape of one row; None where no file tells."""
        return self.layouts[0].feature_shape if self.layouts else None


def stored_rows(cache: Path, spec: FeatureSpec) -> StoredRows:
    """Gathers the done rows that a spec can use from the whole cache; unreadable files are passed over.

    Images themselves (view 0) are the same whatever augmentation their entry's views have.
    """
    layouts = []
    folders = {entry.folder for entry in all_entries(cache) if entry.spec.plain == spec.plain}
    folders.update(cache.glob(f"*/{spec.entry_name}"))  # also where spec.json is damaged
    for path in sorted(path for folder in folders for path in folder.glob("*.h5*")):
        if path.suffix in FEATURE_FILES:
            try:
                layout = open_mapped(path)  # the file may be renamed before it is copied from
            except (CacheMismatchError, UsageError, OSError):
                continue  # its rows are computed again
            if layout.header.spec.plain == spec.plain:
                layouts.append(layout)
    done = [np.flatnonzero(_usable(layout, spec)) for layout in layouts]
    return StoredRows(
        layouts=tuple(layouts),
        keys=_concatenate(
            [layout.rows.keys[rows] for layout, rows in zip(layouts, done, strict=True)], "V33"
        ),
        file=np.repeat(np.arange(len(layouts)), [len(rows) for rows in done]),
        row=_concatenate(done, np.int64),
    )


def _usable(layout: Layout, spec: FeatureSpec) -> np.ndarray:
    return layout.done if layout.header.spec == spec else layout.done & (layout.rows.views == 0)


def copy_rows(stored: StoredRows, chosen: np.ndarray, target: PartialFile, rows: np.ndarray) -> int:
    """Copies stored rows into a file being filled, each checked against its checksum.

    Args:
        stored: Where the rows come from.
        chosen: int (n,), positions in ``stored``.
        target: The file being filled.
        rows: int (n,), row numbers in the target, ascending.

    Returns:
        How many rows were copied; damaged ones are left to be computed.
    """
    copied = 0
    for start in range(0, len(rows), 256):
        picked, wanted = chosen[start : start + 256], rows[start : start + 256]
        features = np.empty((len(wanted), *target.layout.feature_shape), target.layout.dtype)
        intact = np.zeros(len(wanted), bool)
        for position, source in enumerate(picked):
            layout = stored.layouts[stored.file[source]]
            features[position] = layout.features[stored.row[source]]
            intact[position] = zlib.crc32(features[position].data) == layout.crc32[stored.row[source]]
        target.write(wanted[intact], features[intact])
        copied += int(intact.sum())
    target.commit()
    return copied


def holds_unique_rows(path: Path, newer: Sequence[Layout]) -> bool:
    """Tells whether a file to be replaced has done rows that none of the newer files holds."""
    try:
        old = open_layout(path)
    except (CacheMismatchError, UsageError):
        return False
    kept = _concatenate([layout.rows.keys[layout.done] for layout in newer], "V33")
    return not bool(np.isin(old.rows.keys[old.done], kept).all())


def _concatenate(parts: Sequence[np.ndarray], dtype: str | type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype)
