"""Calibration: whether a head that says 90 % is right nine times of ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_BINS = 15
FEWEST_ROWS = 10
"""Rows that a bin should hold: with fewer, its accuracy says more about chance than about the head."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar confidence, which is the probability of the predicted class.

    Attributes:
        low: Lower edge; rows with exactly this confidence belong to the bin below, save in the first.
        high: Upper edge, inside the bin.
        confidence: Mean confidence of the rows.
        accuracy: Share of the rows that are right.
        rows: How many there are, at least 1.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    rows: int


def reliability_bins(confidence: np.ndarray, hits: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Sorts rows into up to 15 bins that hold equally many of them.

    Equal mass, because the confidences of a good head crowd near 1: of 15 equally wide bins one would
    hold nearly all rows and hide what goes on there, and the others a handful each. Equal mass has the
    smaller bias, too (Roelofs et al., "Mitigating bias in calibration error estimation", AISTATS 2022).
    Rows of equal confidence share a bin, or the bins would depend on the order of the rows, so that bins
    may be of unequal size or fall away. Fewer than 150 rows have fewer bins, of ten rows.

    Args:
        confidence: float (n,), probability of the predicted class, n at least 1.
        hits: bool (n,), whether the prediction is right.
    """
    count = min(max(len(confidence) // FEWEST_ROWS, 1), MOST_BINS)
    edges = np.quantile(confidence, np.linspace(0, 1, count + 1))
    places = np.searchsorted(edges[1:-1], confidence)
    sizes = np.bincount(places, minlength=count)
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            confidence=float(confidence[places == i].mean()),
            accuracy=float(hits[places == i].mean()),
            rows=int(sizes[i]),
        )
        for i in np.flatnonzero(sizes)
    )


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Returns the expected calibration error: the mean distance of accuracy from confidence over all rows.

    It is never below zero, so with few rows even a perfectly calibrated head has some.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015, with the bins of :func:`reliability_bins`.
    """
    return sum(one.rows * abs(one.accuracy - one.confidence) for one in bins) / sum(one.rows for one in bins)
