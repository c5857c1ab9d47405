"""The stored images that are most like a new one, by the cosine between their features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.descriptions import Descriptions, draw_rows
from pipeline.progress import progress

MOST_BYTES = 256 * 2**20
"""Memory that the descriptions of stored images may take; of more images, a sample is searched."""
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
        self._descriptions = Descriptions.of(features)
        originals = np.flatnonzero(features.rows.views == 0)
        self.total = len(originals)
        room = max(1, most_bytes // (4 * self._descriptions.width))
        self.rows = originals = draw_rows(originals, room, np.random.default_rng(SEED))
        self._described = np.empty((len(originals), self._descriptions.width), np.float32)
        done = 0
        with progress("reading training features", len(originals)) as advance:
            for block in self._descriptions.read(features, originals):
                self._described[done : done + len(block)] = block
                done += len(block)
                advance(len(block))

    def nearest(self, features: np.ndarray, count: int) -> list[Neighbour]:
        """Finds the most similar stored images, the most similar first.

        Args:
            features: Features of one image as they are stored, of several cuts side by side.
            count: How many; all where there are fewer.
        """
        similarity = self._described @ self._descriptions.describe(features[None])[0]
        best = np.argsort(-similarity, kind="stable")[:count]
        return [Neighbour(int(self.rows[i]), min(1.0, float(similarity[i]))) for i in best]
