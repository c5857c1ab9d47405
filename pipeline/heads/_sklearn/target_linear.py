"""Ridge regression on several labels or numbers: one decomposition serves all of them, and all penalties.

With the singular value decomposition X = U S V^T of centred rows, the coefficients of a penalty p are
V (S U^T Y / (S^2 + p)), so a penalty costs one division and two products of matrices.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.curves import fit_curves
from pipeline.heads._sklearn.least_squares import drawn
from pipeline.heads._sklearn.rowspace import decomposed, gram
from pipeline.heads._sklearn.scatter import PRODUCT_BYTES, is_tall, scatter
from pipeline.heads._sklearn.table import column_moments, columns_of, scaled_blocks, standardised
from pipeline.heads._sklearn.target_answers import LinearTargets
from pipeline.progress import late_progress

KEPT = 2
"""Decompositions that are kept for other penalties. Usually there is one; where targets are unknown of other
rows each there are as many, and all of them would fill the memory."""
DRAW = 0
"""Seed of the rows that are scored by a fit without them, the same for all penalties."""


class Ridges(NamedTuple):
    """A ridge regression on each of some targets.

    Attributes:
        coef: float (k, d), of the table of the training rows.
        intercept: float64 (k,).
        asked: int (m,), rows that were scored by a fit on all others.
        held_out: float64 (m, k), their scores; NaN where a target is unknown of a row.
    """

    coef: np.ndarray
    intercept: np.ndarray
    asked: np.ndarray
    held_out: np.ndarray


class Part(NamedTuple):
    """Targets that are known of the same rows.

    Attributes:
        targets: int (t,), which they are.
        rows: int (n,), the rows.
        asked: int (m,), places in ``rows`` of those that are scored by a fit without them.
    """

    targets: np.ndarray
    rows: np.ndarray
    asked: np.ndarray


class Decomposition(NamedTuple):
    """Some rows in the coordinates in which a penalty is one division.

    Attributes:
        mean: float64 (d,), of the rows.
        squares: float64 (r,), S^2.
        turned: float (m, r), the asked rows: U S.
        towards: float64 (r, t), S U^T Y of the centred targets.
        back: float64 (n, r), U / S, where X^T leads from here to the columns; or (d, r), V.
    """

    mean: np.ndarray
    squares: np.ndarray
    turned: np.ndarray
    towards: np.ndarray
    back: np.ndarray


def solve_ridges(train: Examples, penalty: float) -> Ridges:
    """Solves for all targets, each on the rows of which it is known.

    Args:
        train: The training rows.
        penalty: What is added to each eigenvalue.
    """
    count = train.targets.shape[1]
    coef, intercept = np.zeros((count, columns_of(train))), np.zeros(count)
    asked = drawn(len(train), DRAW)
    held_out = np.full((len(asked), count), np.nan)
    parts = train.once(parts_of)
    with late_progress("ridge", len(parts), "fits") as advance:
        for number, part in enumerate(parts):
            kept = len(parts) <= KEPT
            found = train.once(_decomposition, number) if kept else _decomposition(train, number)
            wanted = train.targets[np.ix_(part.rows, part.targets)]
            offset = wanted.mean(axis=0, dtype=np.float64)
            shrunk = found.towards / (found.squares + penalty)[:, None]
            own = _to_columns(train, part, found, shrunk)
            coef[part.targets], intercept[part.targets] = own, offset - own @ found.mean
            leverage = np.square(found.turned) @ (1 / (found.squares + penalty)) + 1 / len(part.rows)
            truth = wanted[part.asked]
            residual = (truth - offset - found.turned @ shrunk) / np.maximum(1 - leverage, 1e-12)[:, None]
            places = np.searchsorted(asked, part.rows[part.asked])
            held_out[np.ix_(places, part.targets)] = truth - residual
            advance(1)
    return Ridges(coef, intercept, asked, held_out)


def calibrated(ridges: Ridges, targets: np.ndarray) -> LinearTargets:
    """Turns scores of labels into probabilities: a logistic curve each, fitted on the held-out scores.

    Source: J. Platt, "Probabilistic outputs for support vector machines", 1999.

    Args:
        ridges: Fitted on 0 and 1.
        targets: (n, k), of all rows.
    """
    slopes, offsets = fit_curves(ridges.held_out, targets[ridges.asked])
    coef = (slopes[:, None] * ridges.coef).astype(np.float32)
    return LinearTargets(coef, slopes * ridges.intercept + offsets, logistic_=True)


def prepare_ridges(train: Examples) -> None:
    """Makes what all penalties share."""
    parts = train.once(parts_of)
    if len(parts) <= KEPT:
        for number in range(len(parts)):
            train.once(_decomposition, number)


def unit_of(train: Examples) -> float:
    """Returns what a penalty of 1 is, see ``ColumnMoments.unit``."""
    return train.once(column_moments).unit


def parts_of(train: Examples) -> list[Part]:
    """Groups targets by the rows of which they are known; those that are known of none are in no group."""
    patterns, which = np.unique(~np.isnan(train.targets).T, axis=0, return_inverse=True)
    asked = drawn(len(train), DRAW)
    parts = []
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(pattern)
        if len(rows):
            places = np.searchsorted(rows, asked[pattern[asked]])
            parts.append(Part(np.flatnonzero(which == number), rows, places))
    return parts


def _decomposition(train: Examples, number: int) -> Decomposition:
    part = train.once(parts_of)[number]
    wanted = train.targets[np.ix_(part.rows, part.targets)]
    centred = (wanted - wanted.mean(axis=0, dtype=np.float64)).astype(np.float32)
    return (_of_columns if is_tall(train) else _of_rows)(train, part, centred)


def _of_rows(train: Examples, part: Part, wanted: np.ndarray) -> Decomposition:
    """Decomposes by the eigenvalues of the rows' inner products, for rows fewer than columns."""
    left, squares = _row_vectors(train, part.rows)
    singular = np.sqrt(squares)
    share = np.full(len(part.rows), 1 / len(part.rows), np.float32)
    mean = share @ train.once(standardised).values[part.rows]
    towards = singular[:, None] * (left.T @ wanted)
    turned, back = left[part.asked] * singular, left / singular
    return Decomposition(mean.astype(np.float64), squares, turned, towards, back)


def _of_columns(train: Examples, part: Part, wanted: np.ndarray) -> Decomposition:
    """Decomposes by the eigenvalues of the columns' scatter, for rows no fewer than columns."""
    mean, squares, vectors = _column_vectors(train, part.rows)
    towards = np.zeros((len(mean), wanted.shape[1]))
    turned = np.empty((len(part.asked), len(mean)), np.float32)
    narrow = vectors.astype(np.float32)
    for places, block in _centred_blocks(train, part.rows, mean):
        towards += block.T @ wanted[places]
    for places, block in _centred_blocks(train, part.rows[part.asked], mean):
        turned[places] = block @ narrow
    return Decomposition(mean, squares, turned, vectors.T @ towards, vectors)


def _row_vectors(train: Examples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns U, float64 (n, r), and S^2, (r,), of centred rows."""
    inner = train.once(gram)
    inner = inner if len(rows) == len(train) else inner[np.ix_(rows, rows)]
    return decomposed(inner, np.ones(len(rows)))


def _column_vectors(train: Examples, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the mean of rows, float64 (d,), S^2, (d,), and V, (d, d), of the centred rows."""
    total = np.zeros(columns_of(train))
    for _, block in scaled_blocks(train, rows):
        total += block.sum(axis=0, dtype=np.float64)
    mean = total / len(rows)
    blocks = (block for _, block in _centred_blocks(train, rows, mean))
    squares, vectors = np.linalg.eigh(scatter(blocks, columns_of(train)))
    return mean, np.maximum(squares, 0), vectors


def _centred_blocks(
    train: Examples, rows: np.ndarray, mean: np.ndarray
) -> Iterable[tuple[slice, np.ndarray]]:
    """Yields rows less their mean a block at a time, with the places that they have among ``rows``."""
    narrow, start = mean.astype(np.float32), 0
    for part, block in scaled_blocks(train, rows, block_bytes=PRODUCT_BYTES):
        block -= narrow
        yield slice(start, start + len(part)), block
        start += len(part)


def _to_columns(train: Examples, part: Part, found: Decomposition, shrunk: np.ndarray) -> np.ndarray:
    """Maps coefficients (r, t) to those of the columns, float64 (t, d)."""
    back = found.back @ shrunk
    if is_tall(train):
        return back.T
    dual = back.T
    values = train.once(standardised).values
    values = values if len(part.rows) == len(train) else values[part.rows]
    return dual.astype(np.float32) @ values - np.outer(dual.sum(axis=1), found.mean)
