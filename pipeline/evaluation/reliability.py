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
        low: Lowest confidence among the rows.
        high: Highest confidence among the rows.
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
    Rows of equal confidence share a bin, or the bins would depend on the order of the rows: a head that is
    quite sure of most rows has one large bin and a few small ones. Fewer than 150 rows have fewer bins.

    Args:
        confidence: float (n,), probability of the predicted class, n at least 1.
        hits: bool (n,), whether the prediction is right.
    """
    count = min(max(len(confidence) // FEWEST_ROWS, 1), MOST_BINS)
    _, block, ties = np.unique(confidence, return_inverse=True, return_counts=True)
    middles = np.cumsum(ties) - ties / 2  # of each block of equal confidences, in the order of the rows
    places = (middles * count / len(confidence)).astype(int)[block]
    bins = []
    for place in np.unique(places):
        inside = confidence[places == place]
        right = float(hits[places == place].mean())
        bins.append(
            ReliabilityBin(
                low=float(inside.min()),
                high=float(inside.max()),
                confidence=float(inside.mean()),
                accuracy=right,
                rows=len(inside),
            )
        )
    return tuple(bins)


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """Returns the expected calibration error: the mean distance of accuracy from confidence over all rows.

    It is never below zero, so with few rows even a perfectly calibrated head has some.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI 2015, with the bins of :func:`reliability_bins`.
    """
    return sum(one.rows * abs(one.accuracy - one.confidence) for one in bins) / sum(one.rows for one in bins)
