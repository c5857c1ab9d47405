"""Scores turned into probabilities: linear ones, and those of a machine on a Gaussian kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.heads._core.probabilities import softmax

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.svm import SVC


@dataclass(eq=False)
class SoftmaxLinear:
    """A linear classifier: the softmax of its scores, divided by one temperature.

    Attributes:
        coef_: float32 (m, d).
        intercept_: float64 (m,).
        sharpness_: The inverse of the temperature, under the name that saved heads have it.
        classes_: int (m,), 0..m-1.
    """

    coef_: np.ndarray
    intercept_: np.ndarray
    sharpness_: float
    classes_: np.ndarray

    @classmethod
    def of(cls, coef: np.ndarray, intercept: np.ndarray, inverse_temperature: float = 1.0) -> SoftmaxLinear:
        """Makes one from coefficients (m, d) and intercepts (m,)."""
        return cls(
            coef_=np.asarray(coef, np.float32),
            intercept_=np.asarray(intercept, np.float64),
            sharpness_=float(inverse_temperature),
            classes_=np.arange(len(coef)),
        )

    def decision_function(self, table: np.ndarray) -> np.ndarray:
        """Returns the scores of a table (n, d), float64 (n, m)."""
        return table @ self.coef_.T + self.intercept_

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float64 (n, m)."""
        return softmax(self.sharpness_ * self.decision_function(table))


def both_sides(scores: np.ndarray) -> np.ndarray:
    """Splits the one score of two classes into two, along the last axis: (..., 1) or (n,) to (..., 2).

    The softmax of the two is the logistic function of the one; more than two scores stay as they are.
    """
    if scores.ndim == 1:
        scores = scores[:, None]
    return scores if scores.shape[-1] > 1 else np.concatenate([-scores / 2, scores / 2], axis=-1)


def held_out_scores(
    estimator: BaseEstimator, rows: np.ndarray, labels: np.ndarray, *, seed: int
) -> np.ndarray:
    """Returns scores (n, m) of each row by a fit of an estimator on two thirds that do not hold it.

    Args:
        estimator: Has a ``decision_function``.
        rows: Whatever it learns from; a kernel matrix (n, n) where it says so.
        labels: int (n,).
        seed: Seed of the cut into three.

    Returns:
        float (n, m); no row (0, m) where a class has a single one, which cannot be held out.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    fewest = int(np.bincount(labels).min())
    if fewest < 2:
        return np.empty((0, labels.max() + 1))
    folds = StratifiedKFold(min(3, fewest), shuffle=True, random_state=seed)
    return both_sides(cross_val_predict(estimator, rows, labels, cv=folds, method="decision_function"))


@dataclass(eq=False)
class KernelMachine:
    """What a machine fitted on a kernel matrix needs to answer for new rows, as plain arrays.

    The compiled machine of scikit-learn follows the numbers of support vectors without looking whether they
    exist, so a crafted file could crash the process. NumPy looks.

    Attributes:
        dual_: float64 (m-1, s), the coefficients of each support vector against the other classes.
        counts_: int (m,), support vectors of each class, which stand together.
        intercept_: float64 (p,), of each of the p pairs of classes.
        rows_: float32 (s, d), the support vectors.
        lengths_: float64 (s,), the squared length of each.
        gamma_: Width of the kernel exp(-gamma |x - y|^2).
        sharpness_: The inverse of the temperature of the softmax, under the name that saved heads have it.
        classes_: int (m,), 0..m-1.
    """

    dual_: np.ndarray
    counts_: np.ndarray
    intercept_: np.ndarray
    rows_: np.ndarray
    lengths_: np.ndarray
    gamma_: float
    sharpness_: float
    classes_: np.ndarray

    @classmethod
    def of(cls, machine: SVC, values: np.ndarray, gamma: float, inverse_temperature: float) -> KernelMachine:
        """Makes one from a machine and the training rows (n, d) that its kernel matrix was made of."""
        rows = values[machine.support_]
        return cls(
            dual_=machine.dual_coef_,
            counts_=machine.n_support_.astype(np.int64),
            intercept_=machine.intercept_,
            rows_=rows,
            lengths_=lengths(rows),
            gamma_=gamma,
            sharpness_=inverse_temperature,
            classes_=machine.classes_,
        )

    def decision_function(self, table: np.ndarray) -> np.ndarray:
        """Returns the scores of a table (n, d), float64 (n, m)."""
        inner = (table @ self.rows_.T).astype(np.float64)
        kernel = gaussian(inner, lengths(table), self.lengths_, self.gamma_)
        if len(self.classes_) == 2:
            return both_sides(kernel @ self.dual_[0] + self.intercept_[0])
        return self._won_duels(kernel)

    def _won_duels(self, kernel: np.ndarray) -> np.ndarray:
        """Counts the duels that each class wins, and breaks ties by how clearly, as scikit-learn does.

        Args:
            kernel: float64 (n, s).

        Returns:
            float64 (n, m).
        """
        votes, clear = np.zeros((2, len(kernel), len(self.classes_)))
        starts = np.cumsum([0, *self.counts_])
        pairs = 0
        for i in range(len(self.classes_) - 1):
            own, others = slice(starts[i], starts[i + 1]), slice(starts[i + 1], None)
            # Every class has a support vector, or it could not be told from another.
            theirs = kernel[:, others] * self.dual_[i, others]
            score = np.add.reduceat(theirs, starts[i + 1 : -1] - starts[i + 1], axis=1)
            score += kernel[:, own] @ self.dual_[i:, own].T
            score += self.intercept_[pairs : pairs + score.shape[1]]
            pairs += score.shape[1]
            votes[:, i] += (score >= 0).sum(axis=1)
            votes[:, i + 1 :] += score < 0
            clear[:, i] += score.sum(axis=1)
            clear[:, i + 1 :] -= score
        # The sum is squeezed below a third of a vote, so it never outweighs one.
        return votes + clear / (3 * (np.abs(clear) + 1))

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float64 (n, m)."""
        return softmax(self.sharpness_ * self.decision_function(table))


def lengths(table: np.ndarray) -> np.ndarray:
    """Returns the squared length of each row of a table (n, d), float64 (n,)."""
    return np.einsum("nd,nd->n", table, table).astype(np.float64)


def gaussian(inner: np.ndarray, left: np.ndarray, right: np.ndarray, gamma: float) -> np.ndarray:
    """Turns inner products of rows into exp(-gamma |x - y|^2).

    Products in single precision suffice: what they are wrong by, times gamma, is far below 1e-4, and
    scikit-learn's own kernel, which computes in double precision piece by piece, took 20 times as long.

    Args:
        inner: float64 (n, k).
        left: Squared lengths of the n rows, float64 (n,).
        right: Those of the k rows, float64 (k,).
        gamma: Width of the kernel.

    Returns:
        A new float64 (n, k).
    """
    squares = left[:, None] + right - 2 * inner
    np.maximum(squares, 0, out=squares)
    squares *= -gamma
    return np.exp(squares, out=squares)
