"""Logistic curves: scores of labels turned into probabilities, a curve for each, all fitted at once."""

from __future__ import annotations

import numpy as np

from pipeline.heads._core.probabilities import column_products, logistic

STEEPEST = 1e4
"""Steepest slope of a curve: where scores tell rows apart without a fault, it would have none."""
WEIGHT = 1e-6
"""Weight of the square of a slope, so that there is a best one even then."""
STEPS = 100
SMALL = 1e-6
"""Step after which the fit ends: the error that is left is of the size of its square."""
TINY = 1e-12


def fit_curves(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fits ``logistic(slope * score + offset)`` to each column of scores, by Newton's method.

    Args:
        scores: float (n, k).
        truth: (n, k), 1 or 0; NaN where it is unknown.

    Returns:
        Slopes and offsets, float64 (k,) each; slope 0, and a constant share, where all rows are alike.
    """
    known = ~np.isnan(truth) & np.isfinite(scores)
    count, positive = known.sum(axis=0), np.where(known, truth, 0).sum(axis=0, dtype=np.float64)
    shares = (positive + 0.5) / (count + 1)
    slopes, offsets = np.zeros(len(shares)), np.log(shares / (1 - shares))
    mixed = np.flatnonzero((positive > 0) & (positive < count))
    if not len(mixed):
        return slopes, offsets
    known = known[:, mixed]
    spread = np.std(scores[:, mixed], axis=0, where=known)
    spread[spread == 0] = 1
    values = np.where(known, scores[:, mixed] / spread, 0)
    found = _newton(values, np.where(known, truth[:, mixed], 0), known.astype(np.float64))
    slopes[mixed] = np.minimum(found[0] / spread, STEEPEST)
    offsets[mixed] = found[1]
    return slopes, offsets


def _newton(scores: np.ndarray, truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Returns slope and offset of each column, float64 (2, k); scores and truth are 0 where not known."""
    found = np.zeros((2, scores.shape[1]))
    left = np.arange(scores.shape[1])
    for _ in range(STEPS):
        at = found[:, left]
        step = _step(at, scores, truth, known)
        found[:, left] = at + _shortened(step, at, scores, truth, known)
        going = np.abs(step).max(axis=0) > SMALL
        left = left[going]
        if not len(left):
            break
        if not going.all():
            scores, truth, known = scores[:, going], truth[:, going], known[:, going]
    return found


def _step(at: np.ndarray, scores: np.ndarray, truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Returns what Newton's method adds to slopes and offsets, (2, k)."""
    shares = logistic(scores * at[0] + at[1])
    wrong, sure = known * (shares - truth), known * shares * (1 - shares)
    of_slope, of_offset = column_products(wrong, scores) + WEIGHT * at[0], wrong.sum(axis=0)
    curved = sure * scores
    mixed = curved.sum(axis=0)
    steep, flat = column_products(curved, scores) + WEIGHT, sure.sum(axis=0) + TINY
    turned = np.stack([mixed * of_offset - flat * of_slope, mixed * of_slope - steep * of_offset])
    return turned / (steep * flat - mixed**2)


def _shortened(
    step: np.ndarray, at: np.ndarray, scores: np.ndarray, truth: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Returns steps (2, k), each halved until its loss is no higher than before it."""
    step, before = step.copy(), _losses(at, scores, truth, known)
    bound = before * (1 + TINY) + TINY
    long = np.flatnonzero(_losses(at + step, scores, truth, known) > bound)
    while len(long):
        step[:, long] /= 2
        after = _losses((at + step)[:, long], scores[:, long], truth[:, long], known[:, long])
        long = long[after > bound[long]]
    return step


def _losses(at: np.ndarray, scores: np.ndarray, truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Returns the loss of each curve, (k,)."""
    logits = scores * at[0] + at[1]
    each = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    return column_products(known, each) - column_products(truth, logits) + WEIGHT / 2 * at[0] ** 2
