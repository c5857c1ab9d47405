"""Descriptions: a vector of length 1 for each image, so that a product of two is the cosine between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from pipeline.cache.features import FeatureSet
from pipeline.cache.halves import widen

BLOCK_ROWS = 256
FEW_CHANNELS = 64
GRID = 16


@dataclass(frozen=True)
class Descriptions:
    """Describes images by their features averaged over positions: what is in them counts, and not where.

    Maps of few channels (pixels, early cuts) keep a coarse grid. Several cuts count the same.

    Attributes:
        shapes: Shape of the features of each cut.
    """

    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, features: FeatureSet) -> Descriptions:
        """Describes images as those of a split."""
        return cls(tuple(tuple(cut.feature_shape) for cut in features.cuts))

    @property
    def width(self) -> int:
        """Numbers in a description."""
        return sum(map(pooled_width, self.shapes))

    def fits(self, feature_shape: Sequence[int]) -> bool:
        """Tells whether rows of features of such a shape can be described; of several cuts they are flat."""
        if not self.shapes or min(min(shape, default=0) for shape in self.shapes) < 1:
            return False
        if len(self.shapes) == 1:
            return self.shapes[0] == tuple(feature_shape)
        return (sum(map(prod, self.shapes)),) == tuple(feature_shape)

    def describe(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, ...), of several cuts side by side, to float32 (n, width) of length 1.

        A row without any feature that is not 0 becomes a row of zeros.
        """
        flat = features.reshape(len(features), sum(map(prod, self.shapes)))
        ends = np.cumsum([prod(shape) for shape in self.shapes])
        described = [
            unit(pool_maps(part.reshape(len(flat), *shape)))
            for part, shape in zip(np.split(flat, ends[:-1], axis=1), self.shapes, strict=True)
        ]
        return np.concatenate(described, axis=1) / np.float32(np.sqrt(len(described)))

    def read(self, features: FeatureSet, index: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the descriptions of rows, int (n,), a block after the other; each row is checked.

        Raises:
            CacheMismatchError: A row is damaged.
        """
        for start in range(0, len(index), BLOCK_ROWS):
            yield self.describe(features.read(index[start : start + BLOCK_ROWS]))


def draw_rows(index: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Draws at most so many of some rows, int (n,), in order; all where there are no more."""
    return index if len(index) <= most else np.sort(random.choice(index, most, replace=False))


def cell_starts(length: int) -> np.ndarray:
    """Returns where the cells of the grid begin along an axis of some length, ascending int (cells,)."""
    return np.unique(np.arange(GRID) * length // GRID)


def _wide(rows: np.ndarray) -> np.ndarray:
    """Returns rows (n, d) in float32."""
    wide = np.empty(rows.shape, np.float32)
    widen(rows, wide)
    return wide


def pooled_width(shape: tuple[int, ...]) -> int:
    """Returns how many numbers :func:`pool_maps` makes of a row of some shape."""
    if len(shape) > 1 and shape[-1] >= FEW_CHANNELS:
        return shape[-1]
    if len(shape) != 3:
        return prod(shape)
    return min(GRID, shape[0]) * min(GRID, shape[1]) * shape[2]


def pool_maps(features: np.ndarray) -> np.ndarray:
    """Averages maps (n, height, width, channels) and tokens (n, tokens, channels) over all positions.

    Those of few channels keep their tokens, or the cells of a grid.

    Returns:
        float32 (n, width).
    """
    features = np.asarray(_wide(features.reshape(len(features), -1)).reshape(features.shape))
    places = tuple(range(1, features.ndim - 1))
    if places and features.shape[-1] >= FEW_CHANNELS:
        return features.mean(axis=places)
    if features.ndim != 4:
        return features.reshape(len(features), -1)
    for axis in (1, 2):
        starts = cell_starts(features.shape[axis])
        counts = np.diff([*starts, features.shape[axis]])
        shape = [-1 if i == axis else 1 for i in range(4)]
        features = np.add.reduceat(features, starts, axis=axis) / counts.reshape(shape)
    return features.reshape(len(features), -1).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    """Brings rows (n, d) to length 1; those of length 0 stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(lengths, np.finfo(np.float32).tiny)
