"""Ridge regression on several labels or numbers: one decomposition serves all of them, and all penalties."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.heads._core.examples import Examples, of_features
from pipeline.heads._sklearn.least_squares import LEFT_OUT
from pipeline.heads._sklearn.rowspace import Spectrum, spectrum
from pipeline.heads._sklearn.scatter import PRODUCT_BYTES, is_tall
from pipeline.heads._sklearn.table import column_moments, columns_of, scaled_blocks, standardised
from pipeline.heads._sklearn.target_answers import LinearTargets

STEEPEST = 1e4
"""Steepest slope of a logistic curve: where scores tell rows apart without a fault, it would have none."""


class Ridges(NamedTuple):
    """A ridge regression on each of some targets.

    Attributes:
        coef: float64 (k, d).
        intercept: float64 (k,).
        asked: int (m,), rows that were scored by a fit on all others.
        held_out: float64 (m, k), their scores.
    """

    coef: np.ndarray
    intercept: np.ndarray
    asked: np.ndarray
    held_out: np.ndarray


def solve_ridges(train: Examples, penalty: float, seed: int) -> Ridges:
    """Solves for all targets, each on the rows of which it is known.

    Args:
        train: The training rows.
        penalty: What is added to each eigenvalue.
        seed: Draws the rows that are scored by a fit without them, where there are more than ``LEFT_OUT``.
    """
    known = ~np.isnan(train.targets)
    patterns, which = np.unique(known.T, axis=0, return_inverse=True)
    count, width = train.targets.shape[1], columns_of(train)
    coef, intercept = np.zeros((count, width)), np.zeros(count)
    asked = _drawn(len(train), seed)
    held_out = np.full((len(asked), count), np.nan)
    for number, pattern in enumerate(patterns):
        targets = np.flatnonzero(which == number)
        if not pattern.any():
            continue
        rows = train if pattern.all() else train.where(pattern)
        own = asked if pattern.all() else np.searchsorted(np.flatnonzero(pattern), asked[pattern[asked]])
        solve = _through_columns if is_tall(rows) else _through_rows
        coef[targets], intercept[targets], scores = solve(rows, rows.targets[:, targets], penalty, own)
        held_out[np.ix_(pattern[asked], targets)] = scores
    return Ridges(coef, intercept, asked, held_out)


def calibrated(ridges: Ridges, targets: np.ndarray) -> LinearTargets:
    """Turns scores of labels into probabilities: a logistic curve each, fitted on the held-out scores.

    Source: J. Platt, "Probabilistic outputs for support vector machines", 1999.

    Args:
        ridges: Fitted on 0 and 1.
        targets: (n, k), of all rows.
    """
    slopes, offsets = np.ones(len(ridges.coef)), np.zeros(len(ridges.coef))
    for label in range(len(ridges.coef)):
        truth, scores = targets[ridges.asked, label], ridges.held_out[:, label]
        known = ~np.isnan(truth) & np.isfinite(scores)
        slopes[label], offsets[label] = fit_curve(scores[known], truth[known])
    coef = (slopes[:, None] * ridges.coef).astype(np.float32)
    return LinearTargets(coef, slopes * ridges.intercept + offsets, logistic_=True)


def fit_curve(scores: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Fits ``logistic(slope * score + offset)`` to rows of 0 and 1, by scikit-learn.

    Returns:
        Slope and offset; a constant share where all rows are alike.
    """
    from sklearn.linear_model import LogisticRegression

    share = (truth.sum() + 0.5) / (len(truth) + 1)
    if not len(truth) or truth.min() == truth.max():
        return 0.0, float(np.log(share / (1 - share)))
    spread = float(scores.std()) or 1.0
    fitted = LogisticRegression(C=1e6, max_iter=200).fit(scores[:, None] / spread, truth.astype(int))
    return min(float(fitted.coef_[0, 0]) / spread, STEEPEST), float(fitted.intercept_[0])


def _through_rows(
    train: Examples, targets: np.ndarray, penalty: float, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solves by the eigenvalues of the rows' inner products, for rows fewer than columns."""
    left, squares, mean = train.once(row_spectrum)
    offset = targets.mean(axis=0, dtype=np.float64)
    seen = left.T @ (targets - offset)
    dual = left @ (seen / (squares + penalty)[:, None])
    coef = dual.T @ train.once(standardised).values - np.outer(dual.sum(axis=0), mean)
    shares = squares / (squares + penalty)
    fitted = left[asked] @ (shares[:, None] * seen)
    leverage = np.square(left[asked]) @ shares + 1 / len(train)
    residual = (targets[asked] - offset - fitted) / np.maximum(1 - leverage, 1e-12)[:, None]
    return coef, offset - coef @ mean, targets[asked] - residual


def _through_columns(
    train: Examples, targets: np.ndarray, penalty: float, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solves by the eigenvalues of the columns' scatter, for rows no fewer than columns."""
    vectors, squares = train.once(column_spectrum)
    offset = targets.mean(axis=0, dtype=np.float64)
    wanted = np.zeros((columns_of(train), targets.shape[1]))
    for part, block in scaled_blocks(train, block_bytes=PRODUCT_BYTES):
        wanted += block.T @ (targets[part] - offset).astype(np.float32)
    coef = (vectors @ ((vectors.T @ wanted) / (squares + penalty)[:, None])).T
    scores = np.empty((len(asked), targets.shape[1]))
    start = 0
    for part, block in scaled_blocks(train, asked, block_bytes=PRODUCT_BYTES):
        fitted = block @ coef.T
        leverage = np.square(block @ vectors) @ (1 / (squares + penalty)) + 1 / len(train)
        truth = targets[part] - offset
        residual = (truth - fitted) / np.maximum(1 - leverage, 1e-12)[:, None]
        scores[start : start + len(part)] = targets[part] - residual
        start += len(part)
    return coef, offset, scores


@of_features
def row_spectrum(train: Examples) -> Spectrum:
    """Decomposes the training rows, each counted once."""
    return spectrum(train, None)


@of_features
def column_spectrum(train: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Returns eigenvectors (d, d) and eigenvalues (d,) of the scatter of the standardised rows, float64."""
    columns = columns_of(train)
    total = np.zeros((columns, columns))
    for _, block in scaled_blocks(train, block_bytes=PRODUCT_BYTES):
        total += block.T @ block
    squares, vectors = np.linalg.eigh(total)
    return vectors, np.maximum(squares, 0)


def unit_of(train: Examples) -> float:
    """Returns what a penalty of 1 is, see ``ColumnMoments.unit``."""
    return train.once(column_moments).unit


def _drawn(rows: int, seed: int) -> np.ndarray:
    if rows <= LEFT_OUT:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, LEFT_OUT, replace=False))
