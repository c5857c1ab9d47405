"""The row space: training n rows of d columns at the price of n columns, where rows are fewer.

A linear model with an L2 penalty never leaves the span of the training rows, and sees them through their
inner products only. With the Cholesky factor L of the Gram matrix X X^T = L L^T, the n x n table L holds the
rows in an orthonormal basis of that span: a fit on L is the fit on X, rotated. The Gram matrix is made once
for all fits that share the training rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.heads._core.class_balance import row_weights
from pipeline.heads._core.examples import Examples, of_features
from pipeline.heads._sklearn.table import standardised

GRAM_COLUMNS = 1024
ROWS_PER_SCORE = 75
"""Rows whose inner products are paid for by one fit with one score a class. On a path of ten penalties and
two classes, 2,000 x 8,192, the columns took 0.46 s and the row space 0.73 s; at 2,000 x 32,000 1.4 and 2.2 s.
The Gram matrix grows with the square of the rows, a fit with their number and that of the classes."""


@dataclass(frozen=True, eq=False)
class RowSpace:
    """Training rows in as few coordinates as they need.

    Attributes:
        rows: float32 (n, r), r = min(n, d), with the inner products of ``values``.
        values: float32 (n, d), the standardised training rows.
        factor: float64 (n, n), lower triangular L; None where ``rows`` are the ``values`` themselves.
    """

    rows: np.ndarray
    values: np.ndarray
    factor: np.ndarray | None = None

    def to_columns(self, coef: np.ndarray) -> np.ndarray:
        """Maps coefficients (m, r) of a fit on ``rows`` to those of the columns, float32 (m, d)."""
        from scipy.linalg import solve_triangular

        if self.factor is None:
            return coef.astype(np.float32)
        dual = solve_triangular(self.factor, coef.T, lower=True, trans="T", check_finite=False)
        return dual.T.astype(np.float32) @ self.values


class Spectrum(NamedTuple):
    """Thin decomposition of weighted, centred training rows: X_w = U S V^T.

    Attributes:
        left: float64 (n, r), U.
        squares: float64 (r,), the squares of S, all above 0.
        mean: float64 (d,), weighted mean that was taken from the rows.
    """

    left: np.ndarray
    squares: np.ndarray
    mean: np.ndarray


def pays(rows: int, columns: int, fits: int, classes: int = 2) -> bool:
    """Tells whether a Gram matrix costs less than it saves the fits that share the rows.

    For solvers of few passes over the table; where a fit takes longer, it pays from the first.
    """
    return columns >= 2 * rows and fits * classes * ROWS_PER_SCORE >= rows


@of_features
def gram(train: Examples) -> np.ndarray:
    """Returns the inner products of the standardised training rows, float64 (n, n).

    They are products in single precision, summed in double: half the time, and the error stays of the size
    of 1e-7 of the largest eigenvalue.
    """
    values = train.once(standardised).values
    total = np.zeros((len(train), len(train)))
    for start in range(0, values.shape[1], GRAM_COLUMNS):
        block = np.ascontiguousarray(values[:, start : start + GRAM_COLUMNS])
        total += block @ block.T
    return total


@of_features
def row_space(train: Examples) -> RowSpace:
    """Returns training rows in the coordinates of their row space, or as they are where that is no less."""
    from scipy.linalg import LinAlgError, cholesky

    values = train.once(standardised).values
    if values.shape[1] <= len(values):
        return RowSpace(values, values)
    inner = train.once(gram)
    # Centred rows are linearly dependent, and duplicates are as well. What is added to the diagonal is of the
    # size of the rounding error of the products: the norm of a matrix bounds its eigenvalues.
    ridge = np.finfo(np.float32).eps * max(np.abs(inner).sum(axis=1).max(), 1.0)
    while True:
        try:
            factor = cholesky(inner + np.diag(np.full(len(inner), ridge)), lower=True, overwrite_a=True)
            return RowSpace(factor.astype(np.float32), values, factor)
        except LinAlgError:
            ridge *= 10


def spectrum(train: Examples, class_weight: str | None) -> Spectrum:
    """Decomposes training rows, weighted by class, that are fewer than columns."""
    root = np.sqrt(row_weights(train.labels, class_weight))
    share = root**2 / len(root)
    mean = share.astype(np.float32) @ train.once(standardised).values
    return Spectrum(*decomposed(train.once(gram), root), mean.astype(np.float64))


def decomposed(inner: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decomposes rows by their inner products, after taking their weighted mean from them.

    Args:
        inner: float64 (n, n).
        root: float64 (n,), the roots of the weights of the rows, whose sum is n.

    Returns:
        U, float64 (n, r), and the squares of S, float64 (r,), all above 0.
    """
    share = root**2 / len(root)
    towards_mean = inner @ share
    centred = inner - towards_mean - towards_mean[:, None] + share @ towards_mean
    # NumPy's, because SciPy's keeps Python from hearing of Ctrl-C for the seconds that it takes.
    squares, left = np.linalg.eigh(root[:, None] * centred * root)
    kept = squares > _noise(squares)
    return left[:, kept], squares[kept]


def _noise(squares: np.ndarray) -> float:
    """Size below which an eigenvalue is rounding error of the products in single precision."""
    return 4 * np.finfo(np.float32).eps * max(squares[-1], 0.0)
