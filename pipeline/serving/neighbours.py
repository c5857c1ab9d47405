"""The stored images that are most like a new one, by the cosine between their features."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.progress import progress

MOST_BYTES = 256 * 2**20
"""Memory that the descriptions of stored images may take; of more images, a sample is searched."""
BLOCK_ROWS = 256
FEW_CHANNELS = 64
GRID = 16
SEED = 0


@dataclass(frozen=True)
class Neighbour:
    """A stored image that is like a new one.

    Attributes:
        row: Its row in the split.
        similarity: Cosine, 1 for the same image.
    """

    row: int
    similarity: float


class Neighbours:
    """Descriptions of the images of one split, ready to be searched.

    An image is described by its features averaged over positions, so that what matters is what is in it and
    not where; maps of few channels (pixels, early cuts) keep a coarse grid. Several cuts count the same.

    Attributes:
        rows: int (n,), the rows that are searched.
        total: Images in the split.
    """

    def __init__(self, features: FeatureSet, *, most_bytes: int = MOST_BYTES) -> None:
        """Reads the features of every image, augmented views left out.

        Args:
            features: One split.
            most_bytes: Memory for the descriptions.

        Raises:
            CacheMismatchError: A row is damaged.
        """
        self._shapes = [cut.feature_shape for cut in features.cuts]
        originals = np.flatnonzero(features.rows.views == 0)
        self.total = len(originals)
        width = self._describe(np.zeros((1, sum(map(prod, self._shapes))), np.float32)).shape[1]
        room = max(1, most_bytes // (4 * width))
        if len(originals) > room:
            originals = np.sort(np.random.default_rng(SEED).choice(originals, room, replace=False))
        self.rows = originals
        self._described = np.empty((len(originals), width), np.float32)
        with progress("reading training features", len(originals)) as advance:
            for start in range(0, len(originals), BLOCK_ROWS):
                index = originals[start : start + BLOCK_ROWS]
                self._described[start : start + len(index)] = self._describe(features.read(index))
                advance(len(index))

    def nearest(self, features: np.ndarray, count: int) -> list[Neighbour]:
        """Finds the most similar stored images, the most similar first.

        Args:
            features: Features of one image as they are stored, of several cuts side by side.
            count: How many; all where there are fewer.
        """
        similarity = self._described @ self._describe(features[None])[0]
        best = np.argsort(-similarity, kind="stable")[:count]
        return [Neighbour(int(self.rows[i]), min(1.0, float(similarity[i]))) for i in best]

    def _describe(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, ...) to float32 (n, d) of length 1, so that a product is a cosine."""
        flat = features.reshape(len(features), -1)
        ends = np.cumsum([prod(shape) for shape in self._shapes])
        described = [
            _unit(_pooled(part.reshape(len(flat), *shape).astype(np.float32)))
            for part, shape in zip(np.split(flat, ends[:-1], axis=1), self._shapes, strict=True)
        ]
        return np.concatenate(described, axis=1) / np.float32(np.sqrt(len(described)))


def _pooled(features: np.ndarray) -> np.ndarray:
    """Averages maps (n, height, width, channels) over all positions, or over the cells of a grid."""
    if features.ndim != 4:
        return features.reshape(len(features), -1)
    if features.shape[3] >= FEW_CHANNELS:
        return features.mean(axis=(1, 2))
    for axis in (1, 2):
        starts = np.unique(np.arange(GRID) * features.shape[axis] // GRID)
        counts = np.diff([*starts, features.shape[axis]])
        shape = [-1 if i == axis else 1 for i in range(4)]
        features = np.add.reduceat(features, starts, axis=axis) / counts.reshape(shape)
    return features.reshape(len(features), -1).astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(lengths, np.finfo(np.float32).tiny)
