"""Filling a laid-out file: rows by pwrite, checksums, durable ``done`` flags, publishing by rename."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.cache.layout import Layout, row_bytes
from pipeline.cache.lock import is_still_at
from pipeline.cache.own import cache_of, is_features
from pipeline.cache.reading import open_layout
from pipeline.errors import PipelineError
from pipeline.files import open_file, replace
from pipeline.publishing import sync_to_disk


class PartialFile:
    """A laid-out file that is being filled; any process may fill any rows of it.

    Rows count as ``done`` only after ``commit``: features and checksums are made durable first, so a kill
    at any moment leaves rows that are whole or not done.
    """

    def __init__(self, path: Path) -> None:
        """Opens a file made by ``lay_out``.

        Raises:
            CacheMismatchError: The file is damaged or foreign.
            ForeignFileError: It is a link.
        """
        self.layout: Layout = open_layout(path)
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
        crc32 = np.array([zlib.crc32(row.data) for row in features], "<u4")
        for run in contiguous_runs(rows):
            self._pwrite("features", int(rows[run.start]), self._row_bytes, features[run])
            self._pwrite("crc32", int(rows[run.start]), 4, crc32[run])
        self._uncommitted.append(np.asarray(rows))

    def record(self, rows: np.ndarray, crc32: np.ndarray) -> None:
        """Writes the checksums of rows whose features another process has written and made durable.

        Args:
            rows: Row numbers, int (n,), strictly ascending.
            crc32: uint32 (n,), what ``FeatureFiles.write`` returned for them.

        Raises:
            PipelineError: The disk refuses the bytes.
        """
        crc32 = np.ascontiguousarray(crc32, "<u4")
        for run in contiguous_runs(rows):
            self._pwrite("crc32", int(rows[run.start]), 4, crc32[run])
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
        self._sync()
        for run in contiguous_runs(rows):
            self._pwrite("done", int(rows[run.start]), 1, np.ones(run.stop - run.start, np.uint8))
        self.done[rows] = True

    def publish(self, path: Path) -> None:
        """Gives a complete file its final name; a reader sees the old file or the new one.

        Raises:
            AssertionError: A row is not done.
            PipelineError: The disk refuses it, or the file has been removed.
        """
        assert self.done.all(), f"{np.count_nonzero(~self.done)} rows of {self.layout.path} are not done"  # noqa: S101 - a mistake of ours, of no file
        self._sync()
        self.check_place()  # another process may by now be filling a file of this name
        self.close()
        replace(self.layout.path, path, root=cache_of(path), known=is_features)
        sync_to_disk(path.parent)

    def check_place(self) -> None:
        """Finds out early that all the work would be for nothing.

        Raises:
            PipelineError: The file has been removed, or replaced by another.
        """
        if not is_still_at(self.layout.path, self._fd):
            raise PipelineError(
                f"{self.layout.path} was removed while it was being filled: run the same command again"
            )

    def _pwrite(self, column: str, row: int, item_bytes: int, values: np.ndarray) -> None:
        try:
            write_whole(self._fd, values, self.layout.offsets[column] + row * item_bytes)
        except OSError as error:
            raise disk_error(self.layout.path, error) from error

    def _sync(self) -> None:
        try:
            getattr(os, "fdatasync", os.fsync)(self._fd)
        except OSError as error:
            raise disk_error(self.layout.path, error) from error


def is_its_own(path: Path) -> bool:
    """Tells whether a file may be written to: one with other names (hard links) is somebody else's, too."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def disk_error(path: Path, error: OSError) -> PipelineError:
    """Says what to do when the disk refuses bytes."""
    return PipelineError(
        f"cannot write {path}: {error.strerror}. All finished rows are kept; "
        "make room and run the same command again"
    )


def damaged_rows(layout: Layout) -> np.ndarray:
    """Re-reads every done row and returns the numbers, int (k,), of those whose checksum differs."""
    features = layout.features
    bad = [
        row
        for row in np.flatnonzero(layout.done)
        if zlib.crc32(np.ascontiguousarray(features[row]).data) != layout.crc32[row]
    ]
    return np.array(bad, np.int64)


def write_whole(file: int, values: np.ndarray, offset: int) -> None:
    """Writes an array to a place in a file, however few bytes the system takes at a time.

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
