"""Odd images: far from all others of their class, or one and the same picture again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAREST = 5
"""Images of its own class that an image is compared with."""
FAR_OUT = 3.0
"""Interquartile ranges below the lower quartile: what lies beyond is "far out" in J. W. Tukey's "Exploratory
data analysis" (1977)."""
SAME = 0.995
"""Cosine of whitened features above which two files show the same picture."""
FEWEST_COPIES = 3
FEWEST = 20
"""Images of a class below which quartiles say nothing."""
REFERENCES = 20_000
"""Images that all others are compared with; of more, a random sample."""
BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class OddImage:
    """An image that may be none of its class, or of any.

    Attributes:
        row: Its row.
        kind: ``repeated``: at least three more are the same picture, as placeholders are; ``unlike`` anything
            in its class; ``blank``: such a one whose pixels are all of one colour.
        value: How often it is there, if it is repeated; else the mean cosine to the nearest of its class.
    """

    row: int
    kind: str
    value: float


def find_odd(
    directions: np.ndarray, labels: np.ndarray, groups: np.ndarray, pictures: np.ndarray, *, seed: int = 0
) -> list[OddImage]:
    """Finds the odd ones among labelled images: repeated ones first, then the farthest from their class.

    Args:
        directions: float32 (n, d) of length 1, whose products are cosines.
        labels: int (n,), 0..k-1.
        groups: int (n,), what belongs together: an image is not compared with its own group.
        pictures: int (n,), the same number for files that are the same byte for byte.
        seed: Seed of the sample.
    """
    nearest = _nearest_of_class(directions, labels, groups, seed)
    alike = 1 + (nearest >= SAME).sum(axis=1)
    copies = np.maximum(np.bincount(pictures)[pictures], alike)
    repeated = np.flatnonzero(copies > FEWEST_COPIES)
    repeated = repeated[np.argsort(-copies[repeated], kind="stable")]
    mean = nearest.mean(axis=1)
    far = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero((labels == label) & np.isfinite(mean))
        if len(own) >= FEWEST:
            low, high = np.quantile(mean[own], [0.25, 0.75])
            far[own] = mean[own] < low - FAR_OUT * (high - low)
    far[repeated] = False
    unlike = np.flatnonzero(far)
    unlike = unlike[np.argsort(mean[unlike], kind="stable")]
    return [OddImage(int(row), "repeated", float(copies[row])) for row in repeated] + [
        OddImage(int(row), "unlike", float(mean[row])) for row in unlike
    ]


def _nearest_of_class(
    directions: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int
) -> np.ndarray:
    """Returns the largest cosines within the class, float32 (n, ``NEAREST``), -inf for missing ones."""
    random, share = np.random.default_rng(seed), min(1.0, REFERENCES / len(labels))
    found = np.full((len(labels), NEAREST), -np.inf, np.float32)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        known = (
            own if share == 1 else random.choice(own, max(int(len(own) * share), NEAREST + 1), replace=False)
        )
        reference = directions[known].T
        size = max(BLOCK_BYTES // (4 * len(known)), 1)
        for start in range(0, len(own), size):
            rows = own[start : start + size]
            products = directions[rows] @ reference
            products[groups[rows][:, None] == groups[known]] = -np.inf
            most = min(NEAREST, len(known))
            found[rows, :most] = np.partition(products, -most, axis=1)[:, -most:]
    return found


def most_alike(
    directions: np.ndarray, labels: np.ndarray, groups: np.ndarray, rows: np.ndarray, k: int
) -> np.ndarray:
    """Returns the image of each class that is most like each of some images, int (m, k); -1 where none is.

    Args:
        directions: As for :func:`find_odd`.
        labels: int (n,).
        groups: int (n,); an image of the same group does not count.
        rows: int (m,), the images that are asked about.
        k: Number of classes.
    """
    found = np.full((len(rows), k), -1)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        size = max(BLOCK_BYTES // (4 * len(own)), 1)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            products = directions[rows[part]] @ directions[own].T
            products[groups[rows[part]][:, None] == groups[own]] = -np.inf
            best = products.argmax(axis=1)
            there = np.isfinite(products[np.arange(len(best)), best])
            found[part, label] = np.where(there, own[best], -1)
    return found
