"""The images that a head has seen, kept so small that they travel with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet

KEPT = 8
"""Bytes that are kept of an image's SHA-256. One that was never seen is taken for one of N that were with a
probability of N / 2**64; for any of a million measured images, and a million seen ones, that is 5e-8."""
_STORED = np.dtype(f"<u{KEPT}")


@dataclass(frozen=True, eq=False)
class SeenImages:
    """Whatever names, splits and labels become: a head knows by their bytes the images it has seen.

    A million of them take 8 MB.

    Attributes:
        trained: uint64 (n,), ascending: shortened digests of the images it was trained on.
        validated: uint64 (m,), ascending: of those that decided when its training stopped, or that its
            ``val_accuracy``, by which heads are chosen, was measured on.
    """

    trained: np.ndarray
    validated: np.ndarray

    @classmethod
    def of(cls, train: FeatureSet, valid: FeatureSet | None) -> SeenImages:
        """Notes the labelled images of two splits; those without a label play no part in a training."""
        return cls(*(_labelled(part) for part in (train, valid)))

    @classmethod
    def of_bytes(cls, content: bytes, counts: Sequence[int]) -> SeenImages:
        """Reads what ``to_bytes`` gave; it can come from anywhere.

        Args:
            content: The bytes.
            counts: How many images it was trained on, and how many it was validated on.

        Raises:
            ValueError: They are no digests in ascending order, or not so many.
        """
        trained, validated = counts
        if min(counts) < 0 or len(content) != KEPT * (trained + validated):
            raise ValueError(f"it does not hold {trained} and {validated} images")
        every = np.frombuffer(content, _STORED)
        parts = every[:trained], every[trained:]
        if any((part[1:] <= part[:-1]).any() for part in parts):
            raise ValueError("its images are not in order")
        return cls(*parts)

    @property
    def counts(self) -> tuple[int, int]:
        """How many images it was trained on, and how many it was validated on."""
        return len(self.trained), len(self.validated)

    def to_bytes(self) -> bytes:
        """Returns all digests, one after the other."""
        return np.concatenate([self.trained, self.validated]).astype(_STORED).tobytes()

    def trained_on(self, digests: np.ndarray) -> np.ndarray:
        """Tells which images it was trained on, bool (k,), by their SHA-256, uint8 (k, 32)."""
        return _among(digests, self.trained)

    def validated_on(self, digests: np.ndarray) -> np.ndarray:
        """Tells which images it was validated on, bool (k,), by their SHA-256, uint8 (k, 32)."""
        return _among(digests, self.validated)


def _labelled(features: FeatureSet | None) -> np.ndarray:
    if features is None:
        return np.empty(0, _STORED)
    return np.unique(_shortened(features.rows.digests[features.known]))


def _among(digests: np.ndarray, known: np.ndarray) -> np.ndarray:
    wanted = _shortened(digests)
    if not len(known):
        return np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return known[places] == wanted


def _shortened(digests: np.ndarray) -> np.ndarray:
    kept = np.ascontiguousarray(digests[:, :KEPT])
    return kept.view(_STORED).reshape(-1)
