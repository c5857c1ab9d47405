"""Rows as a table for estimators: flat, float32, standardised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pipeline.heads._core.examples import Examples, read_finite

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler


BLOCK_BYTES = 8 << 20
"""Size of the float32 blocks in which rows are read: what is in memory twice stays small."""


@dataclass(frozen=True, eq=False)
class Table:
    """Training rows, standardised. Fits share it, so nobody may write into it.

    Attributes:
        scaler: Fitted on these rows.
        values: float32 (n, d).
    """

    scaler: StandardScaler
    values: np.ndarray

    @cached_property
    def unit(self) -> float:
        """Mean squared length of a row, which is the number of columns that are not constant.

        Penalties and kernel widths in this unit mean the same for 1,280 columns and for 32,000.
        """
        return max(float(np.count_nonzero(self.scaler.var_)), 1.0)


def standardised(train: Examples) -> Table:
    """Reads training rows and scales each column to mean 0 and variance 1, which constant ones are spared.

    Raises:
        PipelineError: A feature is not a finite number.
        CacheMismatchError: A row is damaged.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(copy=False)
    values = np.empty((len(train), columns_of(train)), np.float32)
    for rows in row_blocks(train):
        _read_into(values, rows, train)
        scaler.partial_fit(values[rows])
    for rows in row_blocks(train):
        scaler.transform(values[rows])
    return Table(scaler, values)


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
    size = max(BLOCK_BYTES // (4 * columns_of(examples)), 1)
    return [slice(start, min(start + size, len(examples))) for start in range(0, len(examples), size)]


def flat(features: np.ndarray) -> np.ndarray:
    """Copies features (n, *feature shape) of any dtype into a float32 table (n, d).

    Always a copy, so that an estimator may scale it in place.
    """
    return np.array(features, np.float32).reshape(len(features), -1)


def _read_into(values: np.ndarray, rows: slice, examples: Examples) -> None:
    block = read_finite(examples.source, examples.index[rows])
    values[rows] = block.reshape(len(block), -1)
