"""The scale of numbers: learnt around 0 and about 1 apart, so that options mean the same in any unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

QUARTILES_APART = 1.349
"""Standard deviations between the quartiles of a normal distribution."""


@dataclass(frozen=True, eq=False)
class NumberScale:
    """Where each of k numbers lies, over the rows of which it is known.

    Attributes:
        mean: float64 (k,), 0 where it is known of no row; or the median, see :meth:`of_most`.
        spread: float64 (k,), the standard deviation, or what the quartiles tell of it; 1 where all values are
            alike.
    """

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, targets: np.ndarray) -> NumberScale:
        """Measures numbers, float (n, k), NaN where one is unknown."""
        known = ~np.isnan(targets)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, targets, 0).sum(axis=0, dtype=np.float64) / count
        variance = np.square(np.where(known, targets - mean, 0)).sum(axis=0) / count
        return cls(mean, np.where(variance > 0, np.sqrt(variance), 1.0))

    @classmethod
    def of_most(cls, targets: np.ndarray) -> NumberScale:
        """Measures them by median and quartiles, which a few values that are far off do not move.

        Where half of the values are alike the standard deviation is taken.
        """
        whole = cls.of(targets)
        median, spread = whole.mean.copy(), whole.spread.copy()
        for number, column in enumerate(targets.T):
            known = column[~np.isnan(column)].astype(np.float64)
            if len(known):
                low, median[number], high = np.quantile(known, (0.25, 0.5, 0.75))
                spread[number] = (high - low) / QUARTILES_APART or spread[number]
        return cls(median, spread)

    def scaled(self, targets: np.ndarray) -> np.ndarray:
        """Returns numbers (n, k) less the mean, in units of the spread, float64, NaN where they are."""
        return (targets - self.mean) / self.spread

    def known_parts(self, targets: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yields each number that is known of any row.

        Yields:
            Its position, the rows of which it is known, int (m,), and its scaled values there, float64 (m,).
        """
        scaled = self.scaled(targets)
        for number in range(targets.shape[1]):
            rows = np.flatnonzero(~np.isnan(targets[:, number]))
            if len(rows):
                yield number, rows, scaled[rows, number]
