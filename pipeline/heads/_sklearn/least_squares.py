"""Ridge regression on the classes in closed form, with the score of each row by a fit without it.

Where rows are fewer than columns, one decomposition of their inner products serves all penalties. Where they
are not, each penalty takes a Cholesky factorisation of the scatter, a fraction of what a decomposition costs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.heads._core.class_balance import class_weights, row_weights
from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.rowspace import spectrum
from pipeline.heads._sklearn.scatter import (
    PRODUCT_BYTES,
    add_products,
    factor,
    solve_lower,
    within_scatter,
)
from pipeline.heads._sklearn.table import column_moments, scaled_blocks, standardised

LEFT_OUT = 10_000
"""Most rows that are scored by a fit without them where each costs d^2 operations: they tell one number, the
temperature, to less than a hundredth."""


class Solution(NamedTuple):
    """A fit, and what it would answer for rows that it had not seen.

    Attributes:
        coef: float (m, d).
        intercept: float64 (m,).
        held_out: float64 (k, m), the scores of rows by the fit on all others.
        labels: int (k,), the classes of these rows.
    """

    coef: np.ndarray
    intercept: np.ndarray
    held_out: np.ndarray
    labels: np.ndarray


def through_rows(train: Examples, penalty: float, class_weight: str | None) -> Solution:
    """Solves by the eigenvalues of the rows' inner products, for rows fewer than columns."""
    values = train.once(standardised).values
    left, squares, mean = train.once(spectrum, class_weight)
    weights = row_weights(train.labels, class_weight)
    share, root = weights / weights.sum(), np.sqrt(weights)[:, None]
    targets = _targets(train)[train.labels]
    offset = share @ targets
    wanted = root * (targets - offset)

    shrunk = 1 / (squares + penalty)
    seen = left.T @ wanted
    dual = root * (left @ (shrunk[:, None] * seen))
    # Rows were centred after scaling, so X_w^T a is X^T a less the mean's part.
    coef = dual.T.astype(np.float32) @ values - np.outer(dual.sum(axis=0), mean)
    intercept = offset - coef @ mean

    fitted = left @ ((squares * shrunk)[:, None] * seen)
    leverage = np.square(left) @ (squares * shrunk) + share
    residual = (wanted - fitted) / root / _rest(leverage)[:, None]
    return Solution(coef, intercept, targets - residual, train.labels)


def through_columns(train: Examples, penalty: float, class_weight: str | None, seed: int) -> Solution:
    """Solves by a Cholesky factorisation of the scatter, for rows no fewer than columns.

    Args:
        train: The training rows, of which one block is in memory at a time.
        penalty: What is added to the diagonal.
        class_weight: How classes are weighted.
        seed: Draws the rows that are scored by a fit without them, where there are more than ``LEFT_OUT``.
    """
    weights = class_weights(train.labels, class_weight)
    sizes = weights * np.bincount(train.labels)
    means, targets = train.once(column_moments).class_means, _targets(train)
    mean, offset = sizes @ means / sizes.sum(), sizes @ targets / sizes.sum()
    apart = np.sqrt(sizes)[:, None] * (means - mean)

    def penalised() -> np.ndarray:
        matrix = train.once(within_scatter, class_weight).copy()
        add_products(matrix, apart)
        matrix.flat[:: len(matrix) + 1] += penalty
        return matrix

    lower = factor(penalised)
    wanted = apart.T @ (np.sqrt(sizes)[:, None] * (targets - offset))
    coef = solve_lower(lower, solve_lower(lower, wanted), transposed=True).T
    intercept = offset - coef @ mean

    asked = drawn(len(train), seed)
    labels = train.labels[asked]
    rough, held_out = lower.astype(np.float32), []
    for part, block in scaled_blocks(train, asked, block_bytes=PRODUCT_BYTES):
        weight = weights[train.labels[part]]
        turned = solve_lower(rough, (block - mean.astype(np.float32)).T)
        leverage = weight * np.square(turned, out=turned).sum(axis=0, dtype=np.float64) + weight / sizes.sum()
        residual = targets[train.labels[part]] - (block @ coef.T.astype(np.float32) + intercept)
        held_out.append(targets[train.labels[part]] - residual / _rest(leverage)[:, None])
    return Solution(coef, intercept, np.concatenate(held_out), labels)


def _targets(train: Examples) -> np.ndarray:
    """Returns the scores wanted of each class, float64 (m, m): 1 for itself and -1 for the others."""
    return 2 * np.eye(int(train.labels.max()) + 1) - 1


def _rest(leverage: np.ndarray) -> np.ndarray:
    """Returns the share of a row's residual that the row itself did not take away."""
    return np.maximum(1 - leverage, 1e-12)


def drawn(rows: int, seed: int) -> np.ndarray:
    """Draws the rows that are scored by a fit without them, ascending int (k,): all, up to ``LEFT_OUT``."""
    if rows <= LEFT_OUT:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, LEFT_OUT, replace=False))
