"""What answers with several labels or numbers for a standardised table, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.heads._core.probabilities import logistic
from pipeline.heads._sklearn.neighbours import PRODUCTS_BYTES, with_length_1
from pipeline.heads._sklearn.scores import gaussian, lengths


@dataclass(eq=False)
class LinearTargets:
    """Linear answers, or the logistic function of them.

    Attributes:
        coef_: float32 (k, d).
        intercept_: float64 (k,).
        logistic_: Whether answers are probabilities.
    """

    coef_: np.ndarray
    intercept_: np.ndarray
    logistic_: bool

    def predict_targets(self, table: np.ndarray) -> np.ndarray:
        """Returns the answers to a standardised table (n, d), float64 (n, k)."""
        scores = table @ self.coef_.T + self.intercept_
        return logistic(scores) if self.logistic_ else scores


@dataclass(eq=False)
class KernelTargets:
    """Numbers by machines on one Gaussian kernel: sums over the training rows that any of them rests on.

    Attributes:
        dual_: float64 (k, s), what each of these rows counts.
        intercept_: float64 (k,).
        rows_: float32 (s, d).
        lengths_: float64 (s,), the squared length of each.
        gamma_: Width of the kernel exp(-gamma |x - y|^2).
    """

    dual_: np.ndarray
    intercept_: np.ndarray
    rows_: np.ndarray
    lengths_: np.ndarray
    gamma_: float

    @classmethod
    def of(cls, dual: np.ndarray, intercept: np.ndarray, rows: np.ndarray, gamma: float) -> KernelTargets:
        """Makes one from what all training rows (n, d) count, (k, n), most of which may be 0."""
        used = dual.any(axis=0)
        kept = rows[used]
        return cls(dual[:, used], intercept, kept, lengths(kept), gamma)

    def predict_targets(self, table: np.ndarray) -> np.ndarray:
        """Returns the answers to a standardised table (n, d), float64 (n, k)."""
        inner = (table @ self.rows_.T).astype(np.float64)
        kernel = gaussian(inner, lengths(table), self.lengths_, self.gamma_)
        return kernel @ self.dual_.T + self.intercept_


@dataclass(eq=False)
class TargetNeighbours:
    """Means of the targets of the nearest rows, all of which have length 1, like the questions.

    Attributes:
        rows_: float32 (n, d), each of length 1 or 0.
        targets_: float32 (n, k), NaN where one is unknown.
        k_: Number of neighbours, at most n.
        weights_: What a neighbour counts: ``uniform``, or by the inverse of its ``distance``.
        usual_: float64 (k,), the means over all rows: the answer where nothing is known of the neighbours.
    """

    rows_: np.ndarray
    targets_: np.ndarray
    k_: int
    weights_: str
    usual_: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, targets: np.ndarray, k: int, weights: str) -> TargetNeighbours:
        """Makes one of rows, float32 (n, d), and their targets (n, k)."""
        known = ~np.isnan(targets)
        sums = np.where(known, targets, 0).sum(axis=0, dtype=np.float64)
        return cls(rows, targets, min(k, len(rows)), weights, sums / np.maximum(known.sum(axis=0), 1))

    def without_rows(self) -> TargetNeighbours:
        """Returns all but the rows, which are too large to be copied for a file."""
        return replace(self, rows_=self.rows_[:0])

    def predict_targets(self, table: np.ndarray) -> np.ndarray:
        """Returns the answers to questions (n, d), float64 (n, k)."""
        size = max(PRODUCTS_BYTES // (4 * len(self.rows_)), 1)
        answers = np.empty((len(table), self.targets_.shape[1]))
        for start in range(0, len(table), size):
            part = slice(start, start + size)
            answers[part] = self._means(with_length_1(np.array(table[part], np.float32)))
        return answers

    def _means(self, asked: np.ndarray) -> np.ndarray:
        products = asked @ self.rows_.T
        near = np.argpartition(products, -self.k_, axis=1)[:, -self.k_ :]
        weights = np.ones(near.shape)
        if self.weights_ == "distance":
            # Of rows of length 1 the squared distance is twice what the product lacks to 1.
            apart = np.maximum(2 - 2 * np.take_along_axis(products, near, 1), 1e-12)
            weights = 1 / apart.astype(np.float64)
        targets = self.targets_[near]
        known = ~np.isnan(targets)
        counted = weights[:, :, None] * known
        total = counted.sum(axis=1)
        sums = (counted * np.where(known, targets, 0)).sum(axis=1)
        return np.where(total > 0, sums / np.where(total > 0, total, 1), self.usual_)
