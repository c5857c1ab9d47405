"""Features as they lie on disk, read as one array: files below each other, cuts side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.cache.shards import RowMap


@dataclass(frozen=True, eq=False)
class MappedFeatures:
    """Features as they lie on disk, as one array to read from: files below each other, cuts side by side.

    Attributes:
        cuts: Per cut, the mapped features of each file, (n, *feature shape); at least one of each. Plain
            views of memory maps, which take their time over every index.
    """

    cuts: tuple[tuple[np.ndarray, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, *feature shape); of several cuts (N, number of features of all)."""
        if len(self.cuts) == 1:
            return (len(self), *self.cuts[0][0].shape[1:])
        return len(self), sum(math.prod(files[0].shape[1:]) for files in self.cuts)

    @property
    def dtype(self) -> np.dtype:
        """Stored dtype."""
        return self.cuts[0][0].dtype

    def __len__(self) -> int:
        return len(self._map)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Copies the rows at the given positions, from 0, into memory: (n, *shape[1:]); of one, without n."""
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        rows = side_by_side(self.by_cut(np.atleast_1d(index)))
        return rows if np.ndim(index) else rows[0]

    def by_cut(self, index: np.ndarray) -> list[np.ndarray]:
        """Copies rows, int (n,), into memory, each cut by itself: (n, *its feature shape)."""
        if ((index < 0) | (index >= len(self))).any():
            raise IndexError(f"rows are numbered from 0 to {len(self) - 1:,}")
        file, row = self._map.locate(index)
        order = np.argsort(file, kind="stable")
        runs = np.split(order, np.flatnonzero(np.diff(file[order])) + 1) if len(index) else []
        blocks = []
        for files in self.cuts:
            block = np.empty((len(index), *files[0].shape[1:]), self.dtype)
            for run in runs:
                block[run] = files[file[run[0]]][row[run]]
            blocks.append(block)
        return blocks

    @cached_property
    def _map(self) -> RowMap:
        return RowMap([len(file) for file in self.cuts[0]])


def side_by_side(cuts: Sequence[np.ndarray]) -> np.ndarray:
    """Joins the features of several cuts, (n, ...) each, to flat rows; those of one stay as they are."""
    if len(cuts) == 1:
        return cuts[0]
    return np.concatenate([cut.reshape(len(cut), math.prod(cut.shape[1:])) for cut in cuts], axis=1)
