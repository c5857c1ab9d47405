"""Stochastic gradient descent row by row, at the price of products of whole blocks.

A step of descent adds a multiple of a row to the coefficients, so within a block of rows all that a step
needs are inner products: those of the rows with the coefficients that the block began with, and with one
another. Both are made at once, the steps are taken on them, and the coefficients are brought up to date once
a block. The result is that of one row after the other, up to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BLOCK = 128
"""Rows that share their inner products: these grow with it, and what is paid once a block shrinks."""


@dataclass
class LogisticDescent:
    """Logistic regression of each of k scores with an L2 penalty, its weights averaged over all steps.

    The steps are those of scikit-learn's ``SGDClassifier`` with ``loss="log_loss"``, a constant learning rate
    and ``average=True``; the average is that of Polyak and Juditsky (1992).

    Attributes:
        columns: Number d of columns.
        scores: Number k of scores.
        alpha: Strength of the penalty.
        rate: Step width.
    """

    columns: int
    scores: int
    alpha: float
    rate: float
    _steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Begins at zero."""
        self._coef = np.zeros((self.scores, self.columns), np.float32)
        self._coef_sum = np.zeros((self.scores, self.columns))
        self._bias, self._bias_sum = np.zeros((2, self.scores))

    @property
    def coef(self) -> np.ndarray:
        """The average over all steps, float64 (k, d)."""
        return self._coef_sum / max(self._steps, 1)

    @property
    def intercept(self) -> np.ndarray:
        """The average over all steps, float64 (k,)."""
        return self._bias_sum / max(self._steps, 1)

    def learn(self, rows: np.ndarray, order: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> None:
        """Takes a step for each row.

        Args:
            rows: float32 (n, d).
            order: int (n,), which row is next.
            targets: 0 or 1, (n, k), in that order.
            weights: What each counts, (n,), in that order.
        """
        for start in range(0, len(order), BLOCK):
            part = slice(start, start + BLOCK)
            self._learn_block(rows[order[part]], targets[part], weights[part])

    def _learn_block(self, rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> None:
        from scipy.special import expit  # here, because an answer has no use for it

        count = len(rows)
        step = np.arange(count)
        # What the penalty leaves of a coefficient after 0, 1, ... steps.
        kept = max(1 - self.rate * self.alpha, 0.0)
        left = kept**step
        age = np.subtract.outer(step, step) - 1
        # The bias is that of a column of ones, which the penalty spares.
        pull = np.where(age >= 0, left[age] * (rows @ rows.T) + 1, 0)
        scores = left[:, None] * (rows @ self._coef.T) + self._bias
        moves = np.zeros((count, self.scores))
        for i, rate in enumerate(self.rate * weights):
            moves[i] = rate * (targets[i] - expit(scores[i] + pull[i, :i] @ moves[:i]))

        # A move is part of all coefficients after it: of the last ones, and of the sum of all.
        last, summed = left[::-1, None] * moves, np.cumsum(left)[::-1, None] * moves
        moved, sum_moved = np.split(np.hstack([last, summed]).T.astype(np.float32) @ rows, 2)
        self._coef_sum += kept * left.sum() * self._coef + sum_moved
        self._coef = np.float32(kept * left[-1]) * self._coef + moved
        self._bias_sum += count * self._bias + (count - step) @ moves
        self._bias = self._bias + moves.sum(axis=0)
        self._steps += count
