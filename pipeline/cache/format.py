"""The fixed-layout HDF5 file: laid out whole, filled by plain writes, sealed, checked at every opening.

The HDF5 library writes the file once, before the first feature exists: contiguous, early-allocated
datasets and all of the metadata. From then on rows arrive by ``pwrite`` at known offsets, so no kill can
corrupt the metadata. ``docs/cache-format.md`` describes the format for other readers.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.cache.shards import ShardName
from pipeline.errors import UnreadableFileError, system_refusal
from pipeline.guards.hdf5 import Column
from pipeline.images.row_table import DIGEST_BYTES, RowTable
from pipeline.images.targets import CLASS
from pipeline.plain_json import parse_json
from pipeline.spec import FeatureSpec

ALIGNMENT = 4096
METADATA_BYTES = 64 * ALIGNMENT
"""What HDF5 writes beside the data, and what is lost to the alignment, at most."""
FILLED = ("features", "crc32", "done")
STORED_DTYPES = {"float16": "<f2", "float32": "<f4", "uint8": "|u1"}
COLUMNS = {
    "features": Column(tuple(STORED_DTYPES.values()), (None, ...)),
    "crc32": Column(("<u4",)),
    "done": Column(("|u1",)),
    "labels": Column(("<i4",)),
    "digests": Column(("|u1",), (None, DIGEST_BYTES)),
    "views": Column(("|u1",)),
    **{name: Column(("S",)) for name in ("ids", "groups", "classes", "skipped")},
}
"""The datasets of a feature file, and nothing else is in one."""
TARGETS = {"targets": Column(("<f4",), (None, None))}
"""What one of schema 2 has besides: images have several labels or numbers, and no class."""

ATTRIBUTES = frozenset(
    ("schema", "spec", "dataset", "source", "split", "weights_label", "software", "created_at", "seal")
)
LATER_ATTRIBUTES = frozenset(("seals",))
"""Attributes that files of earlier versions do not have."""
TARGET_ATTRIBUTES = frozenset(("target",))
"""Of files with targets; no other has them."""
PART_ATTRIBUTES = frozenset(("part", "parts", "whole"))
"""Of a shard, where a split has several; no other has them."""

HDF5_LOCK = threading.Lock()
"""The HDF5 library is not thread-safe: one call at a time in a process."""

SEAL, SEALS = "seal", "seals"
"""Attributes that prove the header: of the whole, and of each of its columns."""
TARGETS_SCHEMA = 2
"""Schema of files with targets, which versions that know none refuse by it."""
_HEX = 16
"""Hex digits of each of the ``seals``: enough that no accident passes."""


@dataclass(frozen=True)
class Header:
    """All that a feature file says of itself besides its columns.

    Attributes:
        spec: What determined the numbers.
        dataset: Name of the data set.
        source: Canonical address of the image source.
        split: ``train``, ``val`` or ``test``.
        classes: Class names, indexed by label; of other targets their names.
        weights_label: What the user asked for: ``imagenet``, ``random`` or a file name.
        skipped: Images left out on request, each with its reason.
        software: Versions of what computed the rows.
        number: Its place among the files of the split, from 0.
        count: How many files the split has.
        whole: Fingerprint of the whole split, the same in all its files; empty in the only one.
        target: What is known of an image, see ``images/targets.py``.
    """

    spec: FeatureSpec
    dataset: str
    source: str
    split: str
    classes: tuple[str, ...]
    weights_label: str = ""
    skipped: tuple[dict[str, str], ...] = ()
    software: dict[str, str] | None = None
    number: int = 0
    count: int = 1
    whole: str = ""
    target: str = CLASS

    @property
    def shard(self) -> ShardName:
        """Which of the split's files it is."""
        return ShardName(self.split, self.number, self.count)


@dataclass(frozen=True, eq=False)
class FeatureFile:
    """An opened file: header, rows, and where each column lies.

    Attributes:
        path: The file.
        header: What it says of itself.
        rows: Its N rows.
        crc32: uint32 (N,), checksums of the features as stored now.
        done: bool (N,), which rows are on disk.
        identity: Device and inode, which tell it from others also under another name.
        stray: Marks of ``done`` that are neither 0 nor 1; their rows count as not done.
        offsets: Byte offset of each dataset in ``FILLED``.
        feature_shape: Shape of one row.
        dtype: Stored dtype of the features.
    """

    path: Path
    header: Header
    rows: RowTable
    crc32: np.ndarray
    done: np.ndarray
    offsets: dict[str, int]
    feature_shape: tuple[int, ...]
    dtype: np.dtype
    identity: tuple[int, ...] = ()
    stray: int = 0

    @cached_property
    def features(self) -> np.ndarray:
        """The features, mapped read-only: (N, *feature_shape) in the stored dtype, nothing is copied.

        Raises:
            UnreadableFileError: The system does not let the file be mapped now.
        """
        shape = (len(self.rows), *self.feature_shape)
        if len(self.rows) == 0:
            return np.empty(shape, self.dtype)
        try:
            return np.memmap(self.path, self.dtype, "r", offset=self.offsets["features"], shape=shape)
        except (OSError, MemoryError) as error:
            raise UnreadableFileError(self.path, system_refusal(error) or str(error)) from error


def checksum(features: np.ndarray) -> int:
    """Returns the CRC-32 of the bytes of one row's features."""
    return zlib.crc32(np.ascontiguousarray(features).data)


def checksums(features: np.ndarray) -> np.ndarray:
    """Returns the CRC-32 of the bytes of each row, (n, *feature shape) -> uint32 (n,)."""
    return np.array([zlib.crc32(row.data) for row in np.ascontiguousarray(features)], "<u4")


def damaged_rows(layout: FeatureFile) -> np.ndarray:
    """Re-reads every done row and returns the numbers, int (k,), of those whose checksum differs."""
    done = np.flatnonzero(layout.done)
    bad = [row for row in done if checksum(layout.features[row]) != layout.crc32[row]]
    return np.array(bad, np.int64)


def row_bytes(feature_shape: Sequence[int], store: str) -> int:
    """Returns the bytes that one row of features takes on disk."""
    return int(np.prod(feature_shape, dtype=np.int64)) * np.dtype(STORED_DTYPES[store]).itemsize


def seal(file: h5py.File, instead: Mapping[str, Any] | None = None) -> str:
    """SHA-256 over all that never changes after the layout: attributes, row list, shapes and places.

    Args:
        file: The file.
        instead: Attributes to be taken for those in the file.
    """
    datasets = {name: file[name] for name in sorted(file)}  # opened once: HDF5 takes long over it
    places = {
        name: [list(dataset.shape), dataset.dtype.str, dataset.id.get_offset()]
        for name, dataset in datasets.items()
    }
    attributes = plain_attributes(file) | dict(instead or {})
    attributes.pop(SEAL, None)
    whole = hashlib.sha256(json.dumps([attributes, places], sort_keys=True).encode())
    for name in sorted(set(places) - set(FILLED)):
        whole.update(datasets[name][()].tobytes())
    return whole.hexdigest()


def seals(file: h5py.File) -> dict[str, str]:
    """A short SHA-256 of each column written at the layout, and of each attribute but the seals themselves.

    Where the seal does not fit, they tell what was altered, and prove all else.
    """
    columns = {name: file[name][()].tobytes() for name in file if name not in FILLED}
    attributes = {
        f"@{name}": json.dumps(value).encode()
        for name, value in plain_attributes(file).items()
        if name not in (SEAL, SEALS)
    }
    values = columns | attributes
    return {name: hashlib.sha256(value).hexdigest()[:_HEX] for name, value in values.items()}


def altered(file: h5py.File) -> set[str] | None:
    """Names the columns and attributes that do not fit their seals; None where the file has none.

    Files of earlier versions have none. An attribute's name begins with ``@``. Seals of what is not there are
    themselves altered.
    """
    try:
        stated = parse_json(plain(file.attrs[SEALS]))
        stated = {str(name): str(value) for name, value in stated.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    found = seals(file)
    differing = {name for name in found if stated.get(name) != found[name]}
    return differing if stated.keys() == found.keys() else differing | {f"@{SEALS}"}


def plain_attributes(file: h5py.File) -> dict[str, Any]:
    """Returns all attributes of a file as plain values."""
    attributes = file.attrs
    return {name: plain(attributes[name]) for name in attributes}


def plain(value: Any) -> Any:
    """Returns an attribute's value as text or number."""
    return os.fsdecode(value) if isinstance(value, bytes) else getattr(value, "item", lambda: value)()
