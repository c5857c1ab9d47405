"""A support vector machine on a Gaussian kernel that is computed by one matrix product."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC

from pipeline.heads._linear import both_sides


class KernelMachine(ClassifierMixin, BaseEstimator):
    """What a machine fitted on a kernel matrix needs to answer for new rows.

    Attributes:
        machine_: The machine, ``kernel="precomputed"``.
        rows_: float32 (s, d), its support vectors.
        lengths_: float64 (s,), the squared length of each.
        gamma_: Width of the kernel exp(-gamma |x - y|^2).
        sharpness_: Factor on the scores in the softmax.
        classes_: int (m,), 0..m-1.
    """

    @classmethod
    def of(cls, machine: SVC, values: np.ndarray, gamma: float, sharpness: float) -> KernelMachine:
        """Makes one from a machine and the training rows (n, d) that its kernel matrix was made of."""
        made = cls()
        made.machine_, made.rows_ = machine, values[machine.support_]
        made.lengths_ = lengths(made.rows_)
        made.gamma_, made.sharpness_, made.classes_ = gamma, sharpness, machine.classes_
        return made

    def decision_function(self, table: np.ndarray) -> np.ndarray:
        """Returns the scores of a table (n, d), float64 (n, m)."""
        # The machine takes a column for each training row and looks at those of its support vectors.
        kernel = np.zeros((len(table), self.machine_.shape_fit_[0]))
        inner = (table @ self.rows_.T).astype(np.float64)
        kernel[:, self.machine_.support_] = gaussian(inner, lengths(table), self.lengths_, self.gamma_)
        return both_sides(self.machine_.decision_function(kernel))

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float64 (n, m)."""
        return softmax(self.sharpness_ * self.decision_function(table), axis=1)


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
