"""The moments of columns: what scales them, and where the rows of each class lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True, eq=False)
class ColumnMoments:
    """What one reading of the training rows tells of their d columns.

    Attributes:
        count: Number of rows n.
        mean: float64 (d,).
        variance: float64 (d,), exactly 0 for a column that is constant.
        means_of_classes: float64 (m, d), of the rows as they are stored.
    """

    count: int
    mean: np.ndarray
    variance: np.ndarray
    means_of_classes: np.ndarray

    @cached_property
    def scaler(self) -> StandardScaler:
        """Scales each column to mean 0 and variance 1, which constant ones are spared."""
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler(copy=False)
        scaler.mean_, scaler.var_ = self.mean, self.variance
        scaler.n_samples_seen_, scaler.n_features_in_ = np.int64(self.count), len(self.mean)
        # Below this bound scikit-learn takes a column for constant: rounding could have made its variance.
        eps = np.finfo(np.float64).eps
        noise = self.count * eps * self.variance + (self.count * self.mean * eps) ** 2
        scaler.scale_ = np.where(self.variance <= noise, 1.0, np.sqrt(self.variance))
        return scaler

    def of_other_classes(self, means: np.ndarray) -> ColumnMoments:
        """Returns the moments of the same rows in other classes, whose means are float64 (m, d)."""
        moments = replace(self, means_of_classes=means)
        vars(moments)["scaler"] = self.scaler  # the same object, by which models know tables that they share
        return moments

    @cached_property
    def class_means(self) -> np.ndarray:
        """Mean of the standardised rows of each class, float64 (m, d)."""
        return (self.means_of_classes - self.mean) / self.scaler.scale_

    @cached_property
    def unit(self) -> float:
        """Mean squared length of a standardised row, which is the number of columns that are not constant.

        Penalties and kernel widths in this unit mean the same for 1,280 columns and for 32,000.
        """
        return max(float(np.count_nonzero(self.variance)), 1.0)


class MomentSums:
    """Adds up what :class:`ColumnMoments` are made of, block after block.

    Deviations from a number close to the mean of a block are exact in single precision or nearly so; they are
    added up in double precision. Blocks are joined as by Chan, Golub and LeVeque, "Algorithms for computing
    the sample variance", The American Statistician 37, 1983.
    """

    def __init__(self, columns: int, classes: int) -> None:
        """Begins with no row of m classes and d columns."""
        self._count = 0
        self._mean, self._squares = np.zeros((2, columns))
        self._rows_of_class = np.zeros(classes)
        self._sums_of_class = np.zeros((classes, columns))

    def add(self, block: np.ndarray, labels: np.ndarray) -> None:
        """Adds rows, float32 (k, d), and their classes, int (k,)."""
        near_mean = block.mean(axis=0, dtype=np.float64).astype(np.float32)
        apart = block - near_mean
        present, of_present = np.unique(labels, return_inverse=True)
        belongs = of_present == np.arange(len(present))[:, None]
        rows = belongs.sum(axis=1)
        self._rows_of_class[present] += rows
        self._sums_of_class[present] += belongs.astype(np.float32) @ apart
        self._sums_of_class[present] += rows[:, None] * near_mean.astype(np.float64)

        rest = apart.sum(axis=0, dtype=np.float64)
        squares = np.square(apart, dtype=np.float64).sum(axis=0) - rest**2 / len(block)
        step = near_mean + rest / len(block) - self._mean
        total = self._count + len(block)
        self._mean += step * (len(block) / total)
        self._squares += squares + step**2 * (self._count * len(block) / total)
        self._count = total

    def moments(self) -> ColumnMoments:
        """Returns the moments of all rows that were added, at least one of each class."""
        means = self._sums_of_class / self._rows_of_class[:, None]
        variance = np.maximum(self._squares, 0) / self._count
        return ColumnMoments(self._count, self._mean, variance, means)
