"""Sequences whose elements exist only while they are looked at."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, TypeVar, overload

import numpy as np

T = TypeVar("T")
Positions = range | np.ndarray
"""Which rows of some columns, in which order: a run of them takes no memory."""


class LazySequence(Sequence[T]):
    """A sequence that makes its elements when asked; equal to any sequence of equal elements, as lists are.

    A position may be an integer of any kind; a slice or an array gives a sequence of the same kind.
    """

    __slots__ = ()
    __hash__ = None

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
    is_run = isinstance(index, range) and index.step == 1 and 0 <= index.start <= index.stop <= len(positions)
    chosen = index if is_run else as_run(whole_positions(index, len(positions)))
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
