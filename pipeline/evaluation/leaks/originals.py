"""The images of a split, each once: augmented views are no images of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks.findings import Place
from pipeline.images.rows import Rows


@dataclass(frozen=True, eq=False)
class Originals:
    """The rows of a split that are images themselves.

    Attributes:
        features: The whole split.
        index: int (n,), their positions in it.
        rows: The n rows.
    """

    features: FeatureSet
    index: np.ndarray
    rows: Rows

    def __len__(self) -> int:
        return len(self.index)

    @property
    def split(self) -> str:
        """``train``, ``val`` or ``test``."""
        return self.features.split

    @property
    def keys(self) -> list[bytes]:
        """SHA-256 of each image."""
        return [row.tobytes() for row in self.rows.digests]

    def label(self, row: int) -> str:
        """Name of a row's class; empty where it has none."""
        label = int(self.rows.labels[row])
        return self.features.classes[label] if label >= 0 else ""

    def place(self, row: int) -> Place:
        """Names one of the n rows."""
        return Place(self.split, self.rows.ids[row], self.label(row))


def take_originals(features: FeatureSet) -> Originals:
    """Leaves the augmented views of a split out."""
    index = np.flatnonzero(features.rows.views == 0)
    return Originals(features, index, features.rows.take(index))
