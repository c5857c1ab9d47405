"""The figure of each label or number for many resamples at once: average precision, or R2."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.targets.weighted_numbers import WeightedNumber
from pipeline.evaluation.targets.weighted_ranking import WeightedRanking
from pipeline.images.targets import LABELS


def part_figures(kind: str, truth: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the figures under weights (b, n), float64 (b, k); NaN where one is not defined.

    Args:
        kind: ``LABELS`` or ``NUMBER``.
        truth: float64 (n, k), NaN where one is unknown.
        answers: float (n, k).
        weights: Whole numbers from 0 up, float (b, n).
    """
    found = np.full((len(weights), truth.shape[1]), np.nan)
    for part, (true, answer) in enumerate(zip(truth.T, answers.T, strict=True)):
        known = ~np.isnan(true)
        if kind == LABELS:
            found[:, part] = WeightedRanking.of(true[known], answer[known], known).average_precision(weights)
        elif known.any():
            found[:, part] = WeightedNumber(true[known], answer[known]).r2(weights[:, known])
    return found


def mean_of_defined(figures: np.ndarray) -> np.ndarray:
    """Returns the mean over the last axis of what is defined, float64; NaN where nothing is."""
    defined = ~np.isnan(figures)
    total = np.where(defined, figures, 0).sum(axis=-1, dtype=float)
    count = defined.sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
