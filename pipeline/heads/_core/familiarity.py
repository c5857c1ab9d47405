"""Familiarity: how near a new image is to those a head was trained on, and from where on it is like none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.descriptions import Descriptions, draw_rows
from pipeline.cache.halves import INFINITE, widen
from pipeline.heads._core.seen import SeenImages
from pipeline.images.targets import CLASS
from pipeline.wording import counted

RATE = 0.01
"""Share of images like those of val that may be called unlike anything."""
FEWEST = 19
"""Val images that tell a threshold: of fewer, more than one in twenty would be called unlike anything."""
WHY_UNKNOWN = (
    f"not known of this head: val had fewer than {FEWEST} images to tell it by, or an earlier version saved "
    "the head; then `pipeline train-head` trains it again"
)
MOST_BYTES = 16 * 2**20
"""What is kept of the training images; of more, a sample."""
MOST_VAL = 10_000
NEAREST = 5
"""Training images whose cosines are averaged: one alone may be an odd one."""
SEED = 0
_STORED = np.dtype("<f2")
_MARK = b"familiar"


@dataclass(frozen=True, eq=False)
class Familiarity:
    """Descriptions of training images, and how near to them val images are.

    Source: Y. Sun, Y. Ming, X. Zhu, Y. Li, "Out-of-distribution detection with deep nearest neighbors",
    ICML 2022. The threshold is an order statistic of val: of n val images and a new one like them, each is
    as likely as any other to be the k-th lowest, so at most k / (n + 1) of such images are below it.

    Attributes:
        descriptions: What describes an image.
        known: float16 (n, width), descriptions of training images.
        threshold: Least familiarity of an image that is like some of them.
        rate: Share of images like those of val that are below it, at most.
        val_rows: Val images that told the threshold.
    """

    descriptions: Descriptions
    known: np.ndarray
    threshold: float
    rate: float
    val_rows: int

    @classmethod
    def of(cls, train: FeatureSet, valid: FeatureSet | None) -> Familiarity | None:
        """Learns it; None where val has too few images to tell a threshold.

        Unlabelled images, augmented views, val images that stand in train, too, and those of a class that
        train does not have take no part.

        Args:
            train: What the head learnt from.
            valid: Other images, of the same spec.

        Raises:
            CacheMismatchError: A row is damaged.
        """
        if valid is None:
            return None
        new = valid.known & (valid.rows.views == 0)
        if train.target == CLASS:
            new &= np.isin(valid.labels, np.unique(train.labels[train.known]))
        new &= ~SeenImages.of(train, None).trained_on(valid.rows.digests)
        if np.count_nonzero(new) < FEWEST:
            return None
        descriptions = Descriptions.of(train)
        room = max(1, MOST_BYTES // (_STORED.itemsize * descriptions.width))
        random = np.random.default_rng(SEED)
        originals = np.flatnonzero(train.known & (train.rows.views == 0))
        known = np.concatenate(list(descriptions.read(train, draw_rows(originals, room, random))))
        among = cls(descriptions, known.astype(_STORED), -1.0, 0.0, 0)
        asked = draw_rows(np.flatnonzero(new), MOST_VAL, random)
        found = np.concatenate([among._measure(block) for block in descriptions.read(valid, asked)])
        place = max(floor(RATE * (len(found) + 1)), 1)
        threshold = float(np.partition(found, place - 1)[place - 1])
        return cls(descriptions, among.known, threshold, place / (len(found) + 1), len(found))

    @property
    def line(self) -> str:
        """The threshold in words."""
        return (
            f"below {self.threshold:.3f}, where {self.rate:.1%} of {counted(self.val_rows, 'val image')} "
            "are at most"
        )

    def measure(self, features: np.ndarray) -> np.ndarray:
        """Returns how familiar images are, float64 (n,): the mean cosine to the nearest training images.

        Args:
            features: (n, ...) in the stored dtype, of the head's spec.
        """
        if not len(features):
            return np.zeros(0)
        return self._measure(self.descriptions.describe(features))

    def knows(self, familiarity: float | None) -> bool | None:
        """Tells whether an image of such a familiarity is like those of the training; None of none."""
        return None if familiarity is None else familiarity >= self.threshold

    def _measure(self, described: np.ndarray) -> np.ndarray:
        cosines = described @ self._wide.T
        count = min(NEAREST, cosines.shape[1])
        nearest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
        return np.clip(nearest.mean(axis=1, dtype=np.float64), -1.0, 1.0)

    @cached_property
    def _wide(self) -> np.ndarray:
        wide = np.empty(self.known.shape, np.float32)
        widen(self.known, wide)
        return wide

    @property
    def rule(self) -> dict[str, Any]:
        """What tells images that are like those of the training from others, as JSON."""
        return {"threshold": self.threshold, "rate": self.rate, "val_rows": self.val_rows}

    def to_json(self) -> dict[str, Any]:
        """Returns what ``head.json`` keeps beside the descriptions."""
        return {"shapes": self.descriptions.shapes, "rows": len(self.known), **self.rule}

    def to_bytes(self) -> bytes:
        """Returns the descriptions, behind a mark that tells the file from others."""
        return _MARK + self.known.tobytes()

    @classmethod
    def read(cls, content: bytes, record: dict[str, Any], feature_shape: Sequence[int]) -> Familiarity:
        """Reads what :meth:`to_bytes` and :meth:`to_json` gave; both can come from anywhere.

        Raises:
            ValueError: They do not belong together, or not to such features; or KeyError, TypeError.
        """
        descriptions = Descriptions(tuple(tuple(map(int, shape)) for shape in record["shapes"]))
        if not descriptions.fits(feature_shape):
            raise ValueError(f"it describes features of other shapes: {record['shapes']}")
        rows, val_rows = int(record["rows"]), int(record["val_rows"])
        if rows < 1 or len(content) != len(_MARK) + _STORED.itemsize * rows * descriptions.width:
            raise ValueError(f"it does not hold {counted(rows, 'description')}")
        known = np.frombuffer(content, _STORED, offset=len(_MARK)).reshape(rows, descriptions.width)
        threshold, rate = float(record["threshold"]), float(record["rate"])
        finite = ((known.view("<u2") & INFINITE) != INFINITE).all()
        if not (finite and -1 <= threshold <= 1 and 0 < rate <= 1):
            raise ValueError("it holds numbers that are no cosines")
        return cls(descriptions, known, threshold, rate, val_rows)
