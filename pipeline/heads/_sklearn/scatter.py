"""The scatter of rows: what closed forms need where rows are more than columns, in d x d numbers.

The rows pass by in blocks, so that no table of them is in memory. The matrix is made once for all fits that
share the training rows; each fit factorises a copy. Everything here works on lower triangles: what stands
above the diagonal means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pipeline.heads._core.class_balance import class_weights
from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.table import column_moments, columns_of, scaled_blocks

PRODUCT_BYTES = 64 << 20
"""Size of blocks of rows that products are made of: each costs a pass over the d x d sums besides."""
SUMMED_ROWS = 4096
"""Rows whose products are added up in single precision, before their sum is added in double."""
PANEL = 1024
"""Columns that are factorised or solved at a time: enough for all cores, and soon done for Ctrl-C."""


def is_tall(train: Examples) -> bool:
    """Tells whether rows are at least as many as columns, so that the scatter is the smaller matrix."""
    return len(train) >= columns_of(train)


def within_scatter(train: Examples, class_weight: str | None) -> np.ndarray:
    """Adds up w (x - m)(x - m)^T over standardised rows x, m the mean and w the weight of their class.

    The scatter about any other point follows by addition, which loses no digits.

    Returns:
        float64 (d, d), its lower triangle.
    """
    means = train.once(column_moments).class_means.astype(np.float32)
    roots = np.sqrt(class_weights(train.labels, class_weight)).astype(np.float32)

    def centred() -> Iterable[np.ndarray]:
        for part, block in scaled_blocks(train, block_bytes=PRODUCT_BYTES):
            block -= means[train.labels[part]]
            if class_weight is not None:
                block *= roots[train.labels[part], None]
            yield block

    return scatter(centred(), columns_of(train))


def scatter(blocks: Iterable[np.ndarray], columns: int) -> np.ndarray:
    """Adds up the outer products of rows with themselves.

    Products are in single precision, and their sums over many rows in double.

    Args:
        blocks: float32 (b, d) each.
        columns: The number d.

    Returns:
        float64 (d, d), its lower triangle.
    """
    total = np.zeros((columns, columns))
    partial = np.zeros((columns, columns), np.float32)
    rows = 0
    for block in blocks:
        add_products(partial, block)
        rows += len(block)
        if rows >= SUMMED_ROWS:
            total += partial
            partial[:], rows = 0, 0
    total += partial
    return total


def add_products(matrix: np.ndarray, rows: np.ndarray) -> None:
    """Adds ``rows.T @ rows`` to the lower triangle of a matrix (d, d) in place; both have one dtype."""
    from scipy.linalg.blas import get_blas_funcs

    # BLAS counts along columns, so its upper triangle is the lower one here, and nothing is copied.
    add = get_blas_funcs("syrk", (matrix,))
    add(1.0, np.ascontiguousarray(rows).T, beta=1.0, c=matrix.T, overwrite_c=True)


def factor(make: Callable[[], np.ndarray]) -> np.ndarray:
    """Factorises a positive definite matrix A = L L^T, and one that is so but for rounding.

    Args:
        make: Returns the lower triangle of A, float64 (d, d), which is overwritten.

    Returns:
        L, float64 (d, d), the lower triangle.
    """
    extra = 0.0
    while True:
        matrix = make()
        largest = float(matrix.diagonal().max())
        matrix.flat[:: len(matrix) + 1] += extra
        try:
            _factorise(matrix)
            return matrix
        except np.linalg.LinAlgError:
            # The size of the rounding error of products in single precision, and more where it does not do.
            extra = 10 * extra or float(np.finfo(np.float32).eps) * max(largest, 1.0)


def _factorise(matrix: np.ndarray) -> None:
    """Puts the Cholesky factor of a lower triangle in its place, panel after panel.

    LAPACK's own would need a copy, and no signal would be heard while it runs.
    """
    for own in _panels(len(matrix)):
        left = matrix[own, : own.start]
        square = np.linalg.cholesky(matrix[own, own] - left @ left.T)
        matrix[own, own] = square
        back = _inverse(square).T
        for start in range(own.stop, len(matrix), 4 * PANEL):
            below = slice(start, start + 4 * PANEL)
            matrix[below, own] = (matrix[below, own] - matrix[below, : own.start] @ left.T) @ back


def solve_lower(lower: np.ndarray, wanted: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """Solves L Z = B, or L^T Z = B, panel after panel.

    Args:
        lower: L, (d, d), of which the lower triangle is read.
        wanted: B, (d, k), of the same dtype.
        transposed: Solve with L^T.

    Returns:
        Z, a new (d, k).
    """
    solved = np.array(wanted, lower.dtype, order="C")
    for own in reversed(_panels(len(lower))) if transposed else _panels(len(lower)):
        back = _inverse(lower[own, own])
        if transposed:
            solved[own] = back.T @ (solved[own] - lower[own.stop :, own].T @ solved[own.stop :])
        else:
            solved[own] = back @ (solved[own] - lower[own, : own.start] @ solved[: own.start])
    return solved


def _panels(size: int) -> list[slice]:
    return [slice(start, min(start + PANEL, size)) for start in range(0, size, PANEL)]


def _inverse(lower: np.ndarray) -> np.ndarray:
    """Inverts a panel's own triangle: products with the inverse use all cores, solving with it would not."""
    from scipy.linalg.lapack import get_lapack_funcs

    invert = get_lapack_funcs("trtri", (lower,))
    inverse, _ = invert(lower, lower=True)
    return np.tril(inverse)
