"""FeatureSet: the rows of one split, read from disk without copying them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.errors import CacheMismatchError
from pipeline.images.rows import Rows
from pipeline.spec import FeatureSpec


@dataclass(frozen=True, eq=False)
class Stacked:
    """The mapped features of several files, one below the other, as one array to read from.

    Attributes:
        parts: Arrays (n, *feature shape) of the same shape and dtype but for n; at least one. Plain views of
            memory maps, which take their time over every index.
    """

    parts: tuple[np.ndarray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, *feature shape)."""
        return (int(self._ends[-1]), *self.parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Stored dtype."""
        return self.parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Copies the rows at the given positions, int (n,), into memory: (n, *feature shape)."""
        index = np.asarray(index)
        if ((index < 0) | (index >= len(self))).any():
            raise IndexError(f"rows are numbered from 0 to {len(self) - 1:,}")
        block = np.empty((len(index), *self.shape[1:]), self.dtype)
        file = np.searchsorted(self._ends, index, side="right")
        row = index - self._starts[file]
        order = np.argsort(file, kind="stable")
        for run in np.split(order, np.flatnonzero(np.diff(file[order])) + 1) if len(index) else ():
            block[run] = self.parts[file[run[0]]][row[run]]
        return block

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum([len(part) for part in self.parts])

    @cached_property
    def _starts(self) -> np.ndarray:
        return self._ends - [len(part) for part in self.parts]


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """One split's features with everything that is known about each row.

    Attributes:
        features: (N, *feature shape) in the stored dtype; mapped where read from a file or several.
        rows: Ids, labels (int32), digests and views of the N rows.
        crc32: uint32 (N,), checksum of each row's feature bytes.
        spec: What determined the numbers.
        classes: Class names, indexed by label.
        split: ``train``, ``val`` or ``test``.
        dataset: Name of the data set.
        path: The file behind it, the first of several.
        weights_file: The file of the user's that the filters of the base were read from, if it was one.
    """

    features: np.ndarray | Stacked
    rows: Rows
    crc32: np.ndarray
    spec: FeatureSpec
    classes: tuple[str, ...]
    split: str
    dataset: str
    path: Path
    weights_file: Path | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> np.ndarray:
        """int32 (N,), index into ``classes``; -1 = unlabelled."""
        return self.rows.labels

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one row's features."""
        return self.features.shape[1:]

    def read(self, index: np.ndarray) -> np.ndarray:
        """Copies rows into memory and checks each against its checksum.

        Args:
            index: Row numbers, int (n,).

        Returns:
            (n, *feature shape) in the stored dtype, in the order of ``index``.

        Raises:
            CacheMismatchError: A row's bytes are not those that were stored.
        """
        block = np.ascontiguousarray(self.features[index])
        for position, row in zip(block, index, strict=True):
            if zlib.crc32(position.data) != self.crc32[row]:
                raise CacheMismatchError(
                    f"{self.path}: row {int(row)} ({self.rows.ids[int(row)]}) is damaged. "
                    "Run `pipeline cache verify` for the whole list; `pipeline extract` repairs it"
                )
        return block

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields (features, labels) of up to ``size`` rows; in random order where a seed is given."""
        order = np.arange(len(self))
        if seed is not None:
            np.random.default_rng(seed).shuffle(order)
        for start in range(0, len(self), size):
            index = order[start : start + size]
            yield self.read(index), self.labels[index]

    def to_memory(self) -> np.ndarray:
        """Returns all features as an array in the stored dtype, every row checked."""
        whole = np.empty(self.features.shape, self.features.dtype)
        for start in range(0, len(self), 1024):
            index = np.arange(start, min(start + 1024, len(self)))
            whole[index] = self.read(index)
        return whole
