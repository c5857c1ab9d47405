"""Rows as a table for estimators: flat, float32, standardised; whole, or a block at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cache.halves import widen
from pipeline.heads._core.examples import Examples, read_finite
from pipeline.heads._sklearn.moments import ColumnMoments, MomentSums

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler


BLOCK_BYTES = 8 << 20
"""Size of the float32 blocks in which rows are read: what is in memory twice stays small."""


@dataclass(frozen=True, eq=False)
class Table:
    """Training rows, standardised. Fits share it, so nobody may write into it.

    Attributes:
        moments: Those of these rows before they were scaled.
        values: float32 (n, d).
    """

    moments: ColumnMoments
    values: np.ndarray


def standardised(train: Examples) -> Table:
    """Reads training rows and scales each column to mean 0 and variance 1, which constant ones are spared.

    Raises:
        PipelineError: A feature is not a finite number.
        CacheMismatchError: A row is damaged.
    """
    if train.shared is not None:
        return Table(train.once(column_moments), train.shared.once(standardised).values)
    values = np.empty((len(train), columns_of(train)), np.float32)
    sums = MomentSums(values.shape[1], _classes_of(train))
    known = train.has(column_moments)
    for rows in row_blocks(train):
        _read_into(values, rows, train)
        if not known:
            sums.add(values[rows], train.labels[rows])
    moments = train.once(column_moments) if known else sums.moments()
    for rows in row_blocks(train):
        moments.scaler.transform(values[rows])
    return Table(moments, values)


def column_moments(train: Examples) -> ColumnMoments:
    """Returns the moments of the training rows: those of their table, or of one reading that keeps no row.

    Errors are those of :func:`standardised`.
    """
    if train.has(standardised):
        return train.once(standardised).moments
    if train.shared is not None and train.shared.has(standardised):
        return _with_other_labels(train.shared.once(standardised), train.labels)
    sums = MomentSums(columns_of(train), _classes_of(train))
    for rows in row_blocks(train):
        sums.add(flat(read_finite(train.source, train.index[rows])), train.labels[rows])
    return sums.moments()


def scaled_blocks(
    train: Examples, among: np.ndarray | None = None, *, block_bytes: int | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields standardised training rows a block at a time: from their table where it is made, else from disk.

    Args:
        train: The training rows.
        among: Positions to yield, int (k,), ascending; none: all.
        block_bytes: Size of a block, ``BLOCK_BYTES`` unless given: larger where products are made of it.

    Yields:
        Positions int (b,), and float32 (b, d), the reader's to write into.
    """
    positions = np.arange(len(train)) if among is None else among
    size = rows_of_block(columns_of(train), block_bytes or BLOCK_BYTES)
    for start in range(0, len(positions), size):
        part = positions[start : start + size]
        if train.has(standardised):
            yield part, train.once(standardised).values[part]
        else:
            block = flat(read_finite(train.source, train.index[part]))
            yield part, train.once(column_moments).scaler.transform(block)


def scaled_by(rows: Examples, scaler: StandardScaler) -> np.ndarray:
    """Reads rows and scales them as training rows were: float32 (n, d)."""
    values = np.empty((len(rows), columns_of(rows)), np.float32)
    for block in row_blocks(rows):
        _read_into(values, block, rows)
        scaler.transform(values[block])
    return values


def columns_of(examples: Examples) -> int:
    """Returns the number d of columns that the flat features of a row take."""
    return math.prod(examples.source.feature_shape)


def row_blocks(examples: Examples) -> list[slice]:
    """Cuts positions 0..n-1 into slices whose float32 features take about ``BLOCK_BYTES``."""
    size = rows_of_block(columns_of(examples), BLOCK_BYTES)
    return [slice(start, min(start + size, len(examples))) for start in range(0, len(examples), size)]


def rows_of_block(columns: int, block_bytes: int) -> int:
    """Returns the number of rows whose float32 features take about so many bytes, at least 1."""
    return max(block_bytes // (4 * columns), 1)


def flat(features: np.ndarray) -> np.ndarray:
    """Copies features (n, *feature shape) of any dtype into a float32 table (n, d).

    Always a copy, so that an estimator may scale it in place.
    """
    table = np.empty((len(features), math.prod(features.shape[1:])), np.float32)
    widen(features.reshape(table.shape), table)
    return table


def _with_other_labels(table: Table, labels: np.ndarray) -> ColumnMoments:
    """Returns the moments of the rows of a table whose labels are others, int (n,)."""
    belongs = (labels == np.arange(labels.max() + 1)[:, None]).astype(np.float32)
    means = (belongs @ table.values) / belongs.sum(axis=1, keepdims=True)
    moments = table.moments
    return moments.of_other_classes(means.astype(np.float64) * moments.scaler.scale_ + moments.mean)


def _read_into(values: np.ndarray, rows: slice, examples: Examples) -> None:
    block = read_finite(examples.source, examples.index[rows])
    widen(block.reshape(len(block), -1), values[rows])


def _classes_of(examples: Examples) -> int:
    return int(examples.labels.max()) + 1
