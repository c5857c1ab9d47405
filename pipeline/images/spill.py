"""A file without a name for what need not stay in memory."""

from __future__ import annotations

import io
import mmap
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.images._lazy import is_constant
from pipeline.progress import say

KEPT_BYTES = 64 * 2**20
"""How large a list may grow in memory, about two million images; beyond that it goes to a temporary file."""

_ALIGNMENT = 8
_CHUNK = 2**20


def zeros(shape: tuple[int, int], *, kept_bytes: int = KEPT_BYTES) -> np.ndarray:
    """Returns uint8 zeros; many stand in a file without a name, which is gone with the last that uses it.

    Where there is no room for the file they stand in memory, and one line says so.
    """
    size = shape[0] * shape[1]
    if size > kept_bytes:
        try:
            with tempfile.TemporaryFile(buffering=0) as file:
                for start in range(0, size, _CHUNK):  # a hole that cannot be filled would kill the process
                    _write(file, bytes(min(_CHUNK, size - start)))
                return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8).reshape(shape)
        except OSError as error:
            say(f"note: the digests of the images stay in memory: {error}")
    return np.zeros(shape, np.uint8)


class Span(NamedTuple):
    """Where an array stands in the file; one of equal values stands there once.

    Attributes:
        offset: Byte of the file.
        dtype: Type of its elements.
        stored: Elements in the file.
        length: Elements of the array.
    """

    offset: int
    dtype: np.dtype
    stored: int
    length: int

    def read(self, data: memoryview) -> np.ndarray:
        """Returns the array over the bytes of the file; nothing is copied."""
        array = np.frombuffer(data, self.dtype, self.stored, self.offset)
        return array if self.stored == self.length else np.broadcast_to(array, self.length)


class Spill:
    """Takes arrays to a file that nobody can see, and which is gone with the last that uses it."""

    def __init__(self, folder: Path | None = None) -> None:
        """Opens nothing yet.

        Args:
            folder: Where the file is to be; None = where the system keeps such files (``TMPDIR``).
        """
        self._folder = folder
        self._file = None
        self._end = 0
        self.usable = True

    def write(self, arrays: Sequence[np.ndarray]) -> list[Span] | None:
        """Appends arrays, each of one axis, and tells where they are.

        Returns:
            None where the file cannot be written: one line says so, and nothing is lost.
        """
        if not self.usable:
            return None
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115 - see below
                weakref.finalize(self, self._file.close)
            return [self._append(array) for array in arrays]
        except OSError as error:
            say(f"note: the list of images stays in memory: {error}")
            self.usable = False
            return None

    def mapped(self) -> memoryview:
        """Returns what was written, as memory that the system fills and empties as it sees fit.

        Nothing can be written afterwards.
        """
        self.usable = False
        if self._file is None or not self._end:
            return memoryview(b"")
        with self._file as file:  # the mapping keeps a descriptor of its own
            return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))

    def _append(self, array: np.ndarray) -> Span:
        stored = array[:1] if is_constant(array) else array
        self._file.seek(self._end)
        _write(self._file, np.ascontiguousarray(stored))
        offset = self._end if stored.nbytes else 0  # the file may end before the next place
        span = Span(offset, array.dtype, len(stored), len(array))
        self._end += -(-stored.nbytes // _ALIGNMENT) * _ALIGNMENT
        return span


def _write(file: io.FileIO, data: bytes | np.ndarray) -> None:
    """Writes all of it, however little the system takes at a time."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[file.write(rest) :]
