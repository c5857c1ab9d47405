"""Rows already computed anywhere in the cache under the same spec: the reason nothing is computed twice."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.cache.damage import Damage, DamagedFileError, damage_of_marks
from pipeline.cache.entries import FEATURE_FILES, Entry
from pipeline.cache.feature_file import open_feature_file, open_mapped
from pipeline.cache.finding import all_entries
from pipeline.cache.format import FeatureFile, checksum
from pipeline.cache.partial_file import PartialFile
from pipeline.cache.salvage import Salvage, open_damaged
from pipeline.errors import CacheMismatchError, UnreadableFileError, UsageError
from pipeline.files import LeftAlone
from pipeline.images.row_table import DIGEST_BYTES, RowTable, image_marks, isin, name_marks
from pipeline.spec import FeatureSpec


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Done rows of a spec in a cache, from every data set, split, published, partial and retired file.

    Attributes:
        layouts: The files that hold them.
        keys: void (S,), what identifies each row (see ``RowTable.keys``).
        file: int (S,), index into ``layouts``.
        row: int (S,), row number in that file.
        feature_shape: Shape of one row; None where no file tells.
        left: Files that cannot be read now; what they hold is not among the rows.
        damaged: Damaged files; of what they hold, only what can be proved is among the rows.
    """

    layouts: tuple[FeatureFile, ...]
    keys: np.ndarray
    file: np.ndarray
    row: np.ndarray
    feature_shape: tuple[int, ...] | None = None
    left: tuple[LeftAlone, ...] = ()
    damaged: tuple[Damage, ...] = ()

    def without(self, rows: np.ndarray) -> StoredRows:
        """Leaves out rows, int (k,), positions in these."""
        keep = np.delete(np.arange(len(self.keys)), rows)
        return replace(self, keys=self.keys[keep], file=self.file[keep], row=self.row[keep])


class DigestIndex:
    """Remembers which files hold which rows, by eight bytes of each digest, so that none is read in vain.

    A run that goes through many groups looks through the same files every time.
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
    cache: Path,
    spec: FeatureSpec,
    wanted: np.ndarray | None = None,
    *,
    entries: Iterable[Entry] | None = None,
    images: Iterable[RowTable] = (),
    digest_index: DigestIndex | None = None,
) -> StoredRows:
    """Finds done rows that a spec can use in the whole cache; of damaged files, those that can be proved.

    Images themselves (view 0) are the same whatever augmentation their entry's views have. Files are looked
    through one after the other, and only those with such rows are kept in memory.

    Args:
        cache: Where to look.
        spec: What the rows shall be.
        wanted: void (n,), keys of the rows that are looked for; None = all.
        entries: The entries of the cache; None = read here.
        images: Rows of the source: they say which name and digest belong together.
        digest_index: What earlier calls for the same spec have learnt.
    """
    folders = dict.fromkeys(cache.glob(f"*/{spec.entry_name}"), spec)  # also where spec.json is damaged
    there = all_entries(cache) if entries is None else entries
    folders |= {one.folder: one.spec for one in there if one.spec.plain == spec.plain}
    digest_index = digest_index or DigestIndex()
    sought = None if wanted is None else _beginnings(wanted)
    layouts: list[FeatureFile] = []
    rows: list[np.ndarray] = []
    left: list[LeftAlone] = []
    damaged: list[Damage] = []
    shape, vouched = None, _Vouched(images)
    for path in sorted(path for folder in folders for path in folder.glob("*.h5*")):
        if path.suffix not in FEATURE_FILES or not (sought is None or digest_index.may_hold(path, sought)):
            continue
        version = _version(path)
        try:
            salvage = _salvaged(path, folders[path.parent], damaged)
        except UnreadableFileError as error:
            left.append(LeftAlone(path, error.reason))
            continue
        except (CacheMismatchError, UsageError):
            continue  # its rows are computed again
        if salvage and salvage.layout.header.spec.plain == spec.plain:
            layout = salvage.layout
            shape = shape or layout.feature_shape
            found = np.flatnonzero(_usable(salvage, spec))
            keys = layout.rows.keys[found]
            digest_index.remember(version, _beginnings(keys))
            if wanted is not None:
                found = found[isin(keys, wanted)]
            if not salvage.proved:
                found = found[vouched.of(layout.rows.take(found))]
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
        damaged=tuple(damaged),
    )


class _Vouched:
    """What the source says: which names and digests belong together."""

    def __init__(self, images: Iterable[RowTable]) -> None:
        self._images = images

    def of(self, rows: RowTable) -> np.ndarray:
        """Tells which rows stand for an image of the source, by two witnesses, bool (n,)."""
        return isin(image_marks(rows), self._marks)

    @cached_property
    def _marks(self) -> np.ndarray:
        return _concatenate([image_marks(rows) for rows in self._images], np.uint64)


def _salvaged(path: Path, spec: FeatureSpec, damaged: list[Damage]) -> Salvage | None:
    """Opens a file, sound or damaged; it may be renamed before it is copied from.

    Raises:
        CacheMismatchError: It is of another version.
        UnreadableFileError: The system does not let it be read now.
        UsageError: It is gone.
    """
    try:
        layout = open_mapped(path)
    except DamagedFileError as error:
        salvage = open_damaged(path, spec)
        damaged.append(Damage.of(path, error.what, salvage.layout if salvage else None))
        return salvage
    damaged += damage_of_marks(layout)
    return Salvage(layout, layout.done, proved=True)


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


def _usable(salvage: Salvage, spec: FeatureSpec) -> np.ndarray:
    layout = salvage.layout
    return salvage.usable if layout.header.spec == spec else salvage.usable & (layout.rows.views == 0)


def copy_rows(stored: StoredRows, chosen: np.ndarray, target: PartialFile, rows: np.ndarray) -> np.ndarray:
    """Copies stored rows into a file being filled, each checked against its checksum.

    Args:
        stored: Where the rows come from.
        chosen: int (n,), positions in ``stored``.
        target: The file being filled.
        rows: int (n,), row numbers in the target, ascending.

    Returns:
        Those of ``chosen``, int (k,), whose features are damaged; they are left to be computed.
    """
    damaged = []
    for start in range(0, len(rows), 256):
        picked, wanted = chosen[start : start + 256], rows[start : start + 256]
        features = np.empty((len(wanted), *target.layout.feature_shape), target.layout.dtype)
        intact = np.zeros(len(wanted), bool)
        for position, source in enumerate(picked):
            layout = stored.layouts[stored.file[source]]
            features[position] = layout.features[stored.row[source]]
            intact[position] = checksum(features[position]) == layout.crc32[stored.row[source]]
        target.write(wanted[intact], features[intact])
        damaged.append(picked[~intact])
    target.commit()
    return _concatenate(damaged, np.int64)


def holds_unique_rows(path: Path, newer: Iterable[Path], *, digest_index: DigestIndex | None = None) -> bool:
    """Tells whether a file to be replaced has done rows that none of the newer files holds.

    Of a damaged file only what can be proved counts, and else what could be, should its images come back:
    rows of which the newer files know neither the key nor the name. One that cannot be read now is of no use
    among the newer ones.

    Args:
        path: The file.
        newer: What is compared with it, one after the other.
        digest_index: What earlier calls have learnt of the newer files.

    Raises:
        UnreadableFileError: It cannot be read now, so it may hold any.
    """
    digest_index = digest_index or DigestIndex()
    try:
        lacking = _done_keys(path)
    except DamagedFileError:
        return _damaged_holds_unique_rows(path, newer)
    except (CacheMismatchError, UsageError):
        return False
    for other in newer:
        if not len(lacking):
            break
        if digest_index.may_hold(other, _beginnings(lacking)):
            version = _version(other)
            try:
                keys = _done_keys(other)
            except (CacheMismatchError, UnreadableFileError, UsageError):
                continue
            digest_index.remember(version, _beginnings(keys))
            lacking = lacking[~np.isin(lacking, keys)]
    return bool(len(lacking))


def _damaged_holds_unique_rows(path: Path, newer: Iterable[Path]) -> bool:
    salvage = open_damaged(path)
    if salvage is None:
        return False
    rows = salvage.layout.rows.take(np.flatnonzero(salvage.usable))
    lacking = np.ones(len(rows), bool)
    for other in newer:
        try:
            known = open_feature_file(other)
        except (CacheMismatchError, UnreadableFileError, UsageError):
            continue
        there = known.rows.take(np.flatnonzero(known.done))
        lacking &= ~isin(rows.keys, there.keys)
        if not salvage.proved:
            lacking &= ~isin(name_marks(rows), name_marks(known.rows))
    return bool(lacking.any())


def _done_keys(path: Path) -> np.ndarray:
    layout = open_feature_file(path)
    return layout.rows.keys[layout.done]


def _concatenate(parts: Sequence[np.ndarray], dtype: str | type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype)
