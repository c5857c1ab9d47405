"""Rows already computed anywhere in the cache under the same spec: the reason nothing is computed twice."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.cache.entries import FEATURE_FILES
from pipeline.cache.filling import PartialFile
from pipeline.cache.finding import all_entries
from pipeline.cache.layout import Layout
from pipeline.cache.mapping import open_mapped
from pipeline.cache.reading import open_layout
from pipeline.errors import CacheMismatchError, UnreadableFileError, UsageError
from pipeline.files import LeftAlone
from pipeline.images.rows import DIGEST_BYTES
from pipeline.spec import FeatureSpec


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Done rows of a spec in a cache, from every data set, split, published, partial and retired file.

    Attributes:
        layouts: The files that hold them.
        keys: void (S,), what identifies each row (see ``Rows.keys``).
        file: int (S,), index into ``layouts``.
        row: int (S,), row number in that file.
        feature_shape: Shape of one row; None where no file tells.
        left: Files that cannot be read now; what they hold is not among the rows.
    """

    layouts: tuple[Layout, ...]
    keys: np.ndarray
    file: np.ndarray
    row: np.ndarray
    feature_shape: tuple[int, ...] | None = None
    left: tuple[LeftAlone, ...] = ()


class Shelf:
    """Remembers which files hold which rows, by eight bytes of each digest, so that none is read in vain.

    A run that goes through many portions looks through the same files every time.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def may_hold(self, path: Path, digests: np.ndarray) -> bool:
        """Tells whether a file may hold one of some digests, uint64 (n,); one never seen may hold any."""
        known = self._known.get(_version(path))
        if known is None or not len(known):
            return known is None
        place = np.minimum(np.searchsorted(known, digests), len(known) - 1)
        return bool((known[place] == digests).any())

    def remember(self, version: tuple[int, ...], digests: np.ndarray) -> None:
        """Takes down what a version of a file holds, uint64 (m,)."""
        if version:  # else the file was gone, or could not even be asked
            self._known[version] = np.sort(digests)


def stored_rows(
    cache: Path, spec: FeatureSpec, wanted: np.ndarray | None = None, *, shelf: Shelf | None = None
) -> StoredRows:
    """Finds done rows that a spec can use in the whole cache; damaged files are passed over.

    Images themselves (view 0) are the same whatever augmentation their entry's views have. Files are looked
    through one after the other, and only those with such rows are kept in memory.

    Args:
        cache: Where to look.
        spec: What the rows shall be.
        wanted: void (n,), keys of the rows that are looked for; None = all.
        shelf: What earlier calls for the same spec have learnt.
    """
    folders = {entry.folder for entry in all_entries(cache) if entry.spec.plain == spec.plain}
    folders.update(cache.glob(f"*/{spec.entry_name}"))  # also where spec.json is damaged
    shelf = shelf or Shelf()
    sought = None if wanted is None else _beginnings(wanted)
    layouts: list[Layout] = []
    rows: list[np.ndarray] = []
    left: list[LeftAlone] = []
    shape = None
    for path in sorted(path for folder in folders for path in folder.glob("*.h5*")):
        if path.suffix not in FEATURE_FILES or not (sought is None or shelf.may_hold(path, sought)):
            continue
        version = _version(path)
        try:
            layout = open_mapped(path)  # the file may be renamed before it is copied from
        except UnreadableFileError as error:
            left.append(LeftAlone(path, error.reason))
            continue
        except (CacheMismatchError, UsageError):
            continue  # its rows are computed again
        if layout.header.spec.plain == spec.plain:
            shape = shape or layout.feature_shape
            found = np.flatnonzero(_usable(layout, spec))
            keys = layout.rows.keys[found]
            shelf.remember(version, _beginnings(keys))
            if wanted is not None:
                found = found[np.isin(keys, wanted)]
            if len(found):
                layouts.append(layout)
                rows.append(found)
    return StoredRows(
        layouts=tuple(layouts),
        keys=_concatenate(
            [layout.rows.keys[found] for layout, found in zip(layouts, rows, strict=True)], "V33"
        ),
        file=np.repeat(np.arange(len(layouts)), [len(found) for found in rows]),
        row=_concatenate(rows, np.int64),
        feature_shape=shape,
        left=tuple(left),
    )


def _beginnings(keys: np.ndarray) -> np.ndarray:
    """Returns the first eight bytes of each key, uint64 (n,)."""
    rows = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), DIGEST_BYTES + 1)
    return np.ascontiguousarray(rows[:, :8]).view(np.uint64).reshape(-1)


def _version(path: Path) -> tuple[int, ...]:
    """Tells one version of a file from another; of one that is gone, nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


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


def holds_unique_rows(path: Path, newer: Iterable[Path], *, shelf: Shelf | None = None) -> bool:
    """Tells whether a file to be replaced has done rows that none of the newer files holds.

    A file that was read and found damaged holds none. One that cannot be read now is of no use among the
    newer ones.

    Args:
        path: The file.
        newer: What is compared with it, one after the other.
        shelf: What earlier calls have learnt of the newer files.

    Raises:
        UnreadableFileError: It cannot be read now, so it may hold any.
    """
    shelf = shelf or Shelf()
    lacking = _done_keys(path)
    for other in newer:
        if not len(lacking):
            break
        if shelf.may_hold(other, _beginnings(lacking)):
            version = _version(other)
            try:
                keys = _done_keys(other)
            except UnreadableFileError:
                continue
            shelf.remember(version, _beginnings(keys))
            lacking = lacking[~np.isin(lacking, keys)]
    return bool(len(lacking))


def _done_keys(path: Path) -> np.ndarray:
    try:
        layout = open_layout(path)
    except (CacheMismatchError, UsageError):
        return np.empty(0, "V33")
    return layout.rows.keys[layout.done]


def _concatenate(parts: Sequence[np.ndarray], dtype: str | type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype)
