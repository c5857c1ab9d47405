"""Linear scores turned into probabilities: what the heads save whose estimator gives scores only."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from pipeline.heads._temperature import fit_log_factor

SHARPNESS_RANGE = (-5.0, 5.0)
"""Bounds of the logarithm, once scores are divided by their spread: rows that are told apart without an
error would otherwise make every answer certain."""


class SoftmaxLinear(ClassifierMixin, BaseEstimator):
    """A linear classifier: the softmax of its scores, sharpened by one factor.

    Attributes:
        coef_: float32 (m, d).
        intercept_: float64 (m,).
        sharpness_: The factor, the inverse of what is called a temperature.
        classes_: int (m,), 0..m-1.
    """

    @classmethod
    def of(cls, coef: np.ndarray, intercept: np.ndarray, sharpness: float = 1.0) -> SoftmaxLinear:
        """Makes one from coefficients (m, d) and intercepts (m,)."""
        made = cls()
        made.coef_, made.intercept_ = np.asarray(coef, np.float32), np.asarray(intercept, np.float64)
        made.sharpness_, made.classes_ = float(sharpness), np.arange(len(coef))
        return made

    def decision_function(self, table: np.ndarray) -> np.ndarray:
        """Returns the scores of a table (n, d), float64 (n, m)."""
        return table @ self.coef_.T + self.intercept_

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float64 (n, m)."""
        return softmax(self.sharpness_ * self.decision_function(table), axis=1)


def both_sides(scores: np.ndarray) -> np.ndarray:
    """Splits the one score of two classes into two, along the last axis: (..., 1) or (n,) to (..., 2).

    The softmax of the two is the logistic function of the one; more than two scores stay as they are.
    """
    if scores.ndim == 1:
        scores = scores[:, None]
    return scores if scores.shape[-1] > 1 else np.concatenate([-scores / 2, scores / 2], axis=-1)


def fit_sharpness(scores: np.ndarray, labels: np.ndarray) -> float:
    """Finds the factor under which the softmax of scores fits the labels best.

    One factor for all classes changes no answer, only how sure it is (temperature scaling: Guo et al.,
    "On Calibration of Modern Neural Networks", 2017).

    Args:
        scores: float (n, m) of rows that took no part in the fit that gives the scores.
        labels: int (n,).

    Returns:
        The factor; that of scores with a spread of 1 where there is no row.
    """
    spread = float(np.std(scores - scores.mean(axis=1, keepdims=True))) if len(scores) else 0.0
    if spread == 0:
        return 1.0
    return float(np.exp(fit_log_factor(scores, labels, bounds=SHARPNESS_RANGE, spread=spread)) / spread)


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
