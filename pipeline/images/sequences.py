"""Sequences whose elements exist only while they are looked at, in memory or in a file without a name."""

from __future__ import annotations

import io
import mmap
import operator
import tempfile
import weakref
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, overload

import numpy as np

from pipeline.progress import say

T = TypeVar("T")
Positions = range | np.ndarray
"""Which rows of some columns, in which order: a run of them takes no memory."""

KEPT_BYTES = 64 * 2**20
"""How large a list may grow in memory, about two million images; beyond that it goes to a temporary file."""

_ALIGNMENT = 8
_CHUNK = 2**20


class LazySequence(Sequence[T]):
    """A sequence that makes its elements when asked; equal to any sequence of equal elements, as lists are.

    A position may be an integer of any kind; a slice or an array gives a sequence of the same kind.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as of lists

    @abstractmethod
    def take(self, index: slice | np.ndarray | Sequence[int]) -> Self:
        """Returns the elements at the given int positions (or under a boolean mask), in that order."""

    @abstractmethod
    def _at(self, position: int) -> T:
        """Returns one element, 0 <= position < len."""

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice | np.ndarray | Sequence[int]) -> Self: ...

    def __getitem__(self, index: Any) -> T | Self:
        try:
            position = operator.index(index)
        except TypeError:
            return self.take(index)
        length = len(self)
        if not -length <= position < length:
            raise IndexError(f"position {position} of {length}")
        return self._at(position % length)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return same(self, other)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"{type(self).__name__}([{shown}{', ...' if len(self) > 3 else ''}], length {len(self):,})"


def same(one: Sequence[T], other: Sequence[T]) -> bool:
    """Tells whether two sequences hold equal elements, whatever their types are."""
    return len(one) == len(other) and all(map(operator.eq, one, other))


def pick(positions: Positions, index: slice | np.ndarray | Sequence[int]) -> Positions:
    """Returns ``positions[index]`` in as little memory as it can be had.

    Raises:
        IndexError: A position is out of bounds.
    """
    if isinstance(index, slice):
        return positions[index]
    if isinstance(index, range) and index.step == 1 and 0 <= index.start <= index.stop <= len(positions):
        chosen: Positions = index
    else:
        chosen = as_run(whole_positions(index, len(positions)))
    if isinstance(chosen, range):
        return positions[chosen.start : chosen.stop]
    if isinstance(positions, range):
        return as_run(chosen.astype(np.int64) * positions.step + positions.start)
    return as_run(positions[chosen])


def whole_positions(index: slice | np.ndarray | Sequence[int], length: int) -> np.ndarray:
    """Returns int positions from 0 on, for any kind of index of that many rows.

    Raises:
        IndexError: A position is out of bounds.
    """
    index = np.asarray(range(length)[index] if isinstance(index, slice) else index)
    if index.dtype == bool or (len(index) and index.min() < 0):
        return np.arange(length)[index]
    if not len(index):
        return np.empty(0, np.intp)
    if index.max() >= length:
        raise IndexError(f"position {index.max()} of {length}")
    return index


def as_run(positions: np.ndarray) -> Positions:
    """Returns positions that count up one by one as a range, others in the smallest unsigned integers."""
    if len(positions) == 0:
        return range(0)
    first, last = int(positions[0]), int(positions[-1])
    if last - first == len(positions) - 1 and (positions[1:] > positions[:-1]).all():
        return range(first, last + 1)
    return positions.astype(np.min_scalar_type(int(positions.max())), copy=False)


def compact(numbers: np.ndarray) -> np.ndarray:
    """Returns whole numbers in the smallest signed integers that hold them; equal ones take one place."""
    if len(numbers) == 0:
        return numbers.astype(np.int8)
    low, high = int(numbers.min()), int(numbers.max())
    kind = np.min_scalar_type(min(low, -high - 1))
    if low == high:
        return np.broadcast_to(np.array([low], kind), len(numbers))
    return numbers.astype(kind)


def take_rows(column: np.ndarray, rows: Positions) -> np.ndarray:
    """Returns rows of a column; nothing is copied where they follow one another, or are all equal."""
    if isinstance(rows, range) and rows.step == 1:
        return column[rows.start : rows.stop]
    if is_constant(column):
        return np.broadcast_to(column[:1], len(rows))
    return column[np.asarray(rows, np.intp)]


def is_constant(column: np.ndarray) -> bool:
    """Tells whether a column stands for one value many times (see ``compact``)."""
    return len(column) > 0 and column.strides == (0,)


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
        self._file: io.FileIO | None = None
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
            return [self._append(self._file, array) for array in arrays]
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

    def _append(self, file: io.FileIO, array: np.ndarray) -> Span:
        stored = array[:1] if is_constant(array) else array
        file.seek(self._end)
        _write(file, np.ascontiguousarray(stored).data)
        offset = self._end if stored.nbytes else 0  # the file may end before the next place
        span = Span(offset, array.dtype, len(stored), len(array))
        self._end += -(-stored.nbytes // _ALIGNMENT) * _ALIGNMENT
        return span


def _write(file: io.FileIO, data: bytes | memoryview) -> None:
    """Writes all of it, however little the system takes at a time."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[file.write(rest) :]
