"""Rows of a damaged feature file that can still be proved.

A row is used for the features of (image, view) under a spec. So it must be proved that its digest and its
view are those that it was laid out with, and that the spec is; its features have their own checksum. No row
is taken on what a single fault (a flipped bit, a lost or misplaced page) could have forged:

* the spec is proved by two witnesses, the file's attribute and the folder (``spec.json``, or its name); where
  the attribute is what is damaged, by the seal over all else with the folder's spec in its place;
* digests and views are proved by the seal of their column (files of earlier versions have none);
* else a digest by the id in the same row: the two columns lie in different pages, and the source must name
  the same pair (``image_marks``). Whoever has no source proves nothing this way;
* else a view by its place: the views of an image follow it, in all images of a file alike.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.cache.damage import identity_of
from pipeline.cache.entries import read_entry
from pipeline.cache.feature_file import TROUBLE, mapped, read_texts
from pipeline.cache.format import (
    COLUMNS,
    FILLED,
    HDF5_LOCK,
    SEAL,
    STORED_DTYPES,
    FeatureFile,
    Header,
    altered,
    checksum,
    plain,
    seal,
)
from pipeline.cache.shards import ShardName
from pipeline.errors import PipelineError, UnreadableFileError, system_refusal
from pipeline.guards.hdf5 import refuse_foreign_parts
from pipeline.images.packed_strings import Categorical
from pipeline.images.row_table import RowTable, encoded_ids
from pipeline.spec import SCHEMA, FeatureSpec

_MOST_VIEWS = 256
_NEEDED = ("features", "crc32", "done", "digests", "views")


@dataclass(frozen=True, eq=False)
class Salvage:
    """What is left of a damaged file.

    Attributes:
        layout: Its columns without labels, groups and classes, and without all of the header but the spec.
        usable: bool (N,), rows that are done, and whose view is proved.
        proved: Whether the digests are proved; else each only by its id, see ``image_marks``.
    """

    layout: FeatureFile
    usable: np.ndarray
    proved: bool

    @property
    def features(self) -> np.ndarray:
        """The features, mapped read-only."""
        return self.layout.features


def open_damaged(path: Path, spec: FeatureSpec | None = None) -> Salvage | None:
    """Opens a file that ``open_feature_file`` found damaged, and maps its features.

    Args:
        path: The file.
        spec: What its folder vouches for; None = as ``spec.json`` says.

    Returns:
        What can be proved; None where that is nothing.

    Raises:
        UnreadableFileError: The system does not let it be read now.
    """
    try:
        vouched = spec or read_entry(path.parent).spec
        return _checked(mapped(path, partial(_open, spec=vouched)))
    except UnreadableFileError:
        raise
    except PipelineError:
        return None
    except TROUBLE as error:
        if refusal := system_refusal(error):
            raise UnreadableFileError(path, refusal) from error
        return None


def _open(path: Path, *, spec: FeatureSpec) -> Salvage:
    """Reads the columns that are needed.

    Raises:
        ValueError: Nothing in it can be proved.
    """
    with HDF5_LOCK, h5py.File(path, "r") as file:
        refuse_foreign_parts(path, file)
        columns = {name: _column(file, name) for name in _NEEDED}
        features, count = columns["features"], columns["features"].shape[0]
        lengths = {column.shape[0] for column in columns.values()}
        if lengths != {count} or features.dtype != np.dtype(STORED_DTYPES[spec.store]):
            raise ValueError("its columns do not fit together")
        intact = _intact(file, spec)
        layout = FeatureFile(
            path=path,
            header=Header(spec=spec, dataset="", source="", split="", classes=()),
            rows=RowTable(
                ids=_ids(file, count),
                labels=np.full(count, -1, np.int32),
                digests=columns["digests"][()],
                views=columns["views"][()],
            ),
            crc32=columns["crc32"][()],
            done=columns["done"][()] == 1,
            offsets={name: columns[name].id.get_offset() or 0 for name in FILLED},
            feature_shape=tuple(features.shape[1:]),
            dtype=features.dtype,
            identity=identity_of(path),
        )
    usable = layout.done.copy()
    if "views" not in intact:
        usable &= layout.rows.views == _places(layout, ShardName.of(path.name.split(".")[0]))
    return Salvage(layout, usable, "digests" in intact)


def _checked(opened: Salvage) -> Salvage | None:
    """Returns what was opened if the features of any row are right: then all lie where they should."""
    layout = opened.layout
    for row in np.flatnonzero(layout.done):
        if checksum(layout.features[row]) == layout.crc32[row]:
            return opened
    return None


def _intact(file: h5py.File, spec: FeatureSpec) -> set[str]:
    """Names the columns that are proved to be as they were written.

    Raises:
        ValueError: The spec is not proved.
    """
    everything = set(file)
    if _seal_fits(file, {}):
        return everything
    if _stated_spec(file) != spec:
        if not _seal_fits(file, {"spec": spec.to_json()}):
            raise ValueError("its spec is not proved")
        return everything
    if _seal_fits(file, {"schema": SCHEMA}):
        return everything
    changed = altered(file)
    return set() if changed is None else everything - changed


def _seal_fits(file: h5py.File, instead: dict[str, Any]) -> bool:
    """Tells whether the seal is right; of its 64 digits, one may itself be damaged."""
    stated = plain(file.attrs.get(SEAL))
    found = seal(file, instead)
    if not isinstance(stated, str) or len(stated) != len(found):
        return False
    return sum(one != other for one, other in zip(stated, found, strict=True)) <= 1


def _stated_spec(file: h5py.File) -> FeatureSpec | None:
    try:
        return FeatureSpec.from_json(plain(file.attrs["spec"]))
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def _column(file: h5py.File, name: str) -> h5py.Dataset:
    column = file[name]
    if not isinstance(column, h5py.Dataset) or not COLUMNS[name].fits(column.shape, column.dtype):
        raise ValueError(f"{name} is not the column that it should be")
    return column


def _ids(file: h5py.File, count: int) -> Any:
    """Reads the names of the rows; no names at all where the column is not what it should be."""
    with suppress(KeyError, ValueError):
        ids = read_texts(_column(file, "ids"))
        if len(ids) == count:
            return ids
    return Categorical(np.broadcast_to(np.int8(-1), count), ())


def _places(layout: FeatureFile, shard: ShardName | None) -> np.ndarray:
    """Returns which view stands in each row by its place, int (N,); -1 where that is not certain."""
    count = len(layout.rows)
    if not layout.header.spec.augmentation or (shard is not None and shard.split != "train"):
        return np.zeros(count, np.int64)
    rows, numbers = layout.rows, np.arange(count)
    ids = np.array(list(encoded_ids(rows)), object)
    faults = {}
    for views in (n for n in range(2, min(count, _MOST_VIEWS) + 1) if count % n == 0):
        first = numbers - numbers % views
        faults[views] = (
            np.count_nonzero(rows.views != numbers % views)
            + np.count_nonzero((rows.digests != rows.digests[first]).any(axis=1))
            + np.count_nonzero(ids != ids[first])
        )
    best = sorted(faults.values())[:2]
    if not best or (len(best) == 2 and best[0] == best[1]):
        return np.full(count, -1)
    return numbers % min(faults, key=faults.__getitem__)
