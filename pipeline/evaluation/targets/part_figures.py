"""The figure that heads of labels, or of numbers, are ranked by, for many resamples at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.evaluation.targets.resamples import Figure
from pipeline.evaluation.targets.weighted_numbers import WeightedNumber
from pipeline.evaluation.targets.weighted_ranking import WeightedRanking, precisions
from pipeline.heads import FIGURES
from pipeline.images.targets import LABELS

Parts = Callable[[np.ndarray], np.ndarray]
"""Maps weights of rows, float (b, n), to the figure of each label or number, float64 (b, k); NaN where one is
not defined."""


def ranking(kind: str, truth: np.ndarray, answers: np.ndarray) -> Figure:
    """Returns what computes ``map`` of labels, or ``r2`` of numbers, under weights of rows.

    Of labels a resample has the mean over those that it can rank. A number that varies, but not in a
    resample, leaves this without a figure: numbers differ in how well they are told, and fewer have another
    mean.

    Args:
        kind: ``LABELS`` or ``NUMBER``.
        truth: (n, k), NaN where a label or number is unknown.
        answers: float (n, k).
    """
    name, parts = FIGURES[kind], parts_under(kind, truth, answers)
    if kind == LABELS:
        return lambda weights: {name: mean_of_defined(parts(weights))}
    told = ~np.isnan(parts(np.ones((1, len(truth))))[0])
    if not told.any():
        return lambda weights: {name: np.full(len(weights), np.nan)}
    return lambda weights: {name: parts(weights)[:, told].mean(axis=1)}


def parts_under(kind: str, truth: np.ndarray, answers: np.ndarray) -> Parts:
    """Returns what computes the average precision of each label, or R2 of each number.

    Args:
        kind: ``LABELS`` or ``NUMBER``.
        truth: (n, k), NaN where a label or number is unknown.
        answers: float (n, k).
    """
    known = ~np.isnan(truth)
    pairs = list(zip(truth.T.astype(np.float64), answers.T.astype(np.float64), known.T, strict=True))
    if kind == LABELS:
        ranked = [WeightedRanking.of(true[rows], answer[rows], rows) for true, answer, rows in pairs]
        return lambda weights: precisions(ranked, weights)
    numbers = [
        (WeightedNumber(true[rows], answer[rows]), np.flatnonzero(rows)) for true, answer, rows in pairs
    ]

    def figures(weights: np.ndarray) -> np.ndarray:
        found = np.full((len(weights), len(numbers)), np.nan)
        for place, (number, rows) in enumerate(numbers):
            if len(rows):
                found[:, place] = number.r2(weights[:, rows])
        return found

    return figures


def mean_of_defined(figures: np.ndarray) -> np.ndarray:
    """Returns the mean over the last axis of what is defined, float64; NaN where nothing is."""
    defined = ~np.isnan(figures)
    total = np.where(defined, figures, 0).sum(axis=-1, dtype=float)
    count = defined.sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
