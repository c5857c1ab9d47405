"""A feature file in the making: laid out whole by the HDF5 library, filled by pwrite, published by rename."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from pipeline.cache.entries import cache_of, is_features
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import (
    ALIGNMENT,
    HDF5_LOCK,
    METADATA_BYTES,
    SEAL,
    SEALS,
    STORED_DTYPES,
    TARGETS_SCHEMA,
    FeatureFile,
    Header,
    checksums,
    row_bytes,
    seal,
    seals,
)
from pipeline.cache.locks import is_still_at
from pipeline.errors import ForeignFileError, PipelineError, disk_errors, reason_of
from pipeline.files import create, discard, open_file, refuse_foreign, replace
from pipeline.images.row_table import DIGEST_BYTES, RowTable
from pipeline.images.targets import CLASS
from pipeline.spec import SCHEMA

KEPT = "All finished rows are kept; make room there, or make it writable, and run the same command again"
PIECE = 1 << 20
UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}
"""What ``posix_fallocate`` fails with where the file system cannot reserve space (man posix_fallocate)."""


def probe(fd: int, size: int) -> None:
    """Finds out whether a new file may have so many bytes, without writing any, and leaves it empty.

    Where the file system cannot reserve space, nothing is found out.

    Raises:
        OSError: The space does not suffice.
    """
    try:
        with suppress(AttributeError):
            os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    os.ftruncate(fd, 0)


def preallocate(fd: int) -> None:
    """Takes the disk space of a whole file, holes included; what is in the file stays as it is.

    Where the file system cannot reserve space, every byte is written once more, which comes to the same.

    Raises:
        OSError: The space does not suffice.
    """
    size = os.fstat(fd).st_size
    try:
        os.posix_fallocate(fd, 0, size)
    except (AttributeError, OSError) as error:  # macOS has no such call
        if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
            raise
        for offset in range(0, size, PIECE):
            write_at(fd, os.pread(fd, PIECE, offset), offset)


def create_feature_file(path: Path, header: Header, rows: RowTable, feature_shape: tuple[int, ...]) -> None:
    """Creates a file with all rows known, none filled, and its disk space reserved.

    The file appears under ``path`` only when it is complete.

    Raises:
        PipelineError: The disk is full or cannot be written; nothing is left behind.
    """
    n = len(rows)
    columns = {
        "labels": rows.labels.astype("<i4"),
        "digests": np.ascontiguousarray(rows.digests, np.uint8).reshape(n, DIGEST_BYTES),
        "views": rows.views.astype(np.uint8),
        "ids": _fixed_strings(rows.ids),
        "groups": _fixed_strings(rows.groups),
        "classes": _fixed_strings(header.classes),
        "skipped": _fixed_strings([json.dumps(item, sort_keys=True) for item in header.skipped]),
    }
    filled = {
        "features": ((n, *feature_shape), STORED_DTYPES[header.spec.store]),
        "crc32": ((n,), "<u4"),
        "done": ((n,), "|u1"),
    }
    with_targets = header.target != CLASS
    attributes = {
        "schema": TARGETS_SCHEMA if with_targets else SCHEMA,
        "spec": header.spec.to_json(),
        "dataset": header.dataset,
        "source": header.source,
        "split": header.split,
        "weights_label": header.weights_label,
        "software": json.dumps(header.software or {}, sort_keys=True),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if with_targets:
        columns["targets"] = rows.targets.astype("<f4")
        attributes["target"] = header.target
    if header.count > 1:
        attributes |= {"part": header.number, "parts": header.count, "whole": header.whole}
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    room = sum(
        int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize for shape, kind in filled.values()
    )
    room += sum(values.nbytes for values in columns.values()) + METADATA_BYTES
    root = cache_of(path)
    try:
        refuse_foreign(path, root=root, known=is_features)
        with os.fdopen(create(draft, root=root), "r+b") as raw:
            probe(raw.fileno(), room)  # HDF5 says many times that the disk is full, and never closes the file
        with HDF5_LOCK, h5py.File(draft, "w", alignment_threshold=1, alignment_interval=ALIGNMENT) as file:
            for name, (shape, dtype) in filled.items():
                _create_contiguous(file, name, shape, np.dtype(dtype))
            for name, values in columns.items():
                _create_contiguous(file, name, values.shape, values.dtype)
                if values.size:
                    file[name][...] = values
            for name, value in attributes.items():
                file.attrs[name] = _fixed_string(value) if isinstance(value, str) else value
            file.attrs[SEALS] = _fixed_string(json.dumps(seals(file), sort_keys=True))
            file.attrs[SEAL] = _fixed_string(seal(file))
        with os.fdopen(open_file(draft, os.O_RDWR, root=root), "r+b") as raw:
            preallocate(raw.fileno())
        replace(draft, path, root=root, known=is_features)
    except (OSError, RuntimeError) as error:  # RuntimeError is HDF5's, from the closing of a file
        raise PipelineError(
            f"cannot lay out {path}: {_reason(error)}. Free disk space or choose another place with --cache"
        ) from error
    finally:
        with suppress(OSError, ForeignFileError):
            discard(draft, root=root)


def _reason(error: Exception) -> str:
    """Finds the words of the system in what HDF5 says on many lines."""
    words = re.search(r"error message = '([^']+)'", str(error))
    return words[1] if words else reason_of(error)


def _create_contiguous(file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Reserves a dataset's bytes at once and leaves them as the file system gives them (zeros)."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    kind = h5py.h5t.py_create(dtype, logical=True)
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), properties)


def _fixed_strings(texts: Sequence[str]) -> np.ndarray:
    """Encodes names as fixed-length bytes; file names need not be valid UTF-8."""
    longest = max((len(text.encode("utf-8", "surrogateescape")) for text in texts), default=1) or 1
    encoded = (text.encode("utf-8", "surrogateescape") for text in texts)
    return np.fromiter(encoded, f"S{longest}", len(texts))


def _fixed_string(text: str) -> np.ndarray:
    """Encodes a text as a scalar of fixed length, whose size is known before it is read."""
    encoded = os.fsencode(text)
    return np.array(encoded, dtype=f"S{len(encoded) or 1}")


class PartialFile:
    """A laid-out file that is being filled; any process may fill any rows of it.

    Rows count as ``done`` only after ``commit``: features and checksums are made durable first, so a kill
    at any moment leaves rows that are whole or not done.
    """

    def __init__(self, path: Path) -> None:
        """Opens a file made by ``create_feature_file``.

        Raises:
            CacheMismatchError: The file is damaged or foreign.
            ForeignFileError: It is a link.
        """
        self.layout: FeatureFile = open_feature_file(path)
        self.done: np.ndarray = self.layout.done.copy()
        self._row_bytes = row_bytes(self.layout.feature_shape, self.layout.header.spec.store)
        self._uncommitted: list[np.ndarray] = []
        self._fd = open_file(path, os.O_RDWR, root=cache_of(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; rows not committed stay not done."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, rows: np.ndarray, features: np.ndarray) -> None:
        """Writes features and checksums of some rows.

        Args:
            rows: Row numbers, int (n,), strictly ascending.
            features: (n, *feature shape) in the stored dtype.

        Raises:
            PipelineError: The disk refuses the bytes.
        """
        features = np.ascontiguousarray(features)
        if features.dtype != self.layout.dtype or features.shape[1:] != self.layout.feature_shape:
            raise AssertionError(f"{features.dtype}{features.shape} does not fit {self.layout.path}")
        runs = list(contiguous_runs(rows))
        with refused(self.layout.path):
            for run in runs:
                offset = self.layout.offsets["features"] + int(rows[run.start]) * self._row_bytes
                write_at(self._fd, features[run], offset)
        self._record(rows, runs, checksums(features))

    def record(self, rows: np.ndarray, crc32: np.ndarray) -> None:
        """Writes the checksums of rows whose features another process has written and made durable.

        Args:
            rows: Row numbers, int (n,), strictly ascending.
            crc32: uint32 (n,), what ``FeatureFiles.write`` returned for them.

        Raises:
            PipelineError: The disk refuses the bytes.
        """
        self._record(rows, contiguous_runs(rows), crc32)

    def _record(self, rows: np.ndarray, runs: Iterable[slice], crc32: np.ndarray) -> None:
        crc32 = np.ascontiguousarray(crc32, "<u4")
        with refused(self.layout.path):
            for run in runs:
                write_at(self._fd, crc32[run], self.layout.offsets["crc32"] + 4 * int(rows[run.start]))
        self._uncommitted.append(np.asarray(rows))

    def commit(self) -> None:
        """Makes everything written so far durable, then marks it done.

        Raises:
            PipelineError: The disk refuses it, or the file has been removed.
        """
        if not self._uncommitted:
            return
        self.check_place()
        written, self._uncommitted = self._uncommitted, []
        rows = np.sort(np.concatenate(written))
        with refused(self.layout.path):
            _flush(self._fd)
            for run in contiguous_runs(rows):
                marks = np.ones(run.stop - run.start, np.uint8)
                write_at(self._fd, marks, self.layout.offsets["done"] + int(rows[run.start]))
        self.done[rows] = True

    def publish(self, path: Path) -> None:
        """Gives a complete file its final name; a reader sees the old file or the new one.

        Raises:
            AssertionError: A row is not done.
            PipelineError: The disk refuses it, or the file has been removed.
        """
        assert self.done.all(), f"{np.count_nonzero(~self.done)} rows of {self.layout.path} are not done"  # noqa: S101 - a mistake of ours, of no file
        with refused(self.layout.path):
            _flush(self._fd)
        self.check_place()  # another process may by now be filling a file of this name
        self.close()
        replace(self.layout.path, path, root=cache_of(path), known=is_features)

    def check_place(self) -> None:
        """Finds out early that all the work would be for nothing.

        Raises:
            PipelineError: The file has been removed, or replaced by another.
        """
        if not is_still_at(self.layout.path, self._fd):
            raise PipelineError(
                f"{self.layout.path} was removed while it was being filled: run the same command again"
            )


def _flush(file: int) -> None:
    getattr(os, "fdatasync", os.fsync)(file)  # macOS has no fdatasync


def is_its_own(path: Path) -> bool:
    """Tells whether a file may be written to: one with other names (hard links) is somebody else's, too."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def refused(what: object) -> AbstractContextManager[None]:
    """Turns what the disk refuses of a cache into one line, see ``errors.disk_errors``."""
    return disk_errors(f"cannot write {what}", KEPT)


def write_at(file: int, values: Any, offset: int) -> None:
    """Writes what has a buffer to a place in a file, however few bytes the system takes at a time.

    Raises:
        OSError: The disk refuses the bytes.
    """
    view = memoryview(values).cast("B")
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def contiguous_runs(rows: np.ndarray) -> Iterator[slice]:
    """Cuts ascending row numbers into slices of consecutive ones."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    starts = [0, *breaks.tolist()]
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        if stop > start:
            yield slice(start, stop)
