"""The power law that errors follow as training rows become more: error(n) = floor + scale * n^-rate.

Sources: C. Cortes et al., "Learning curves: asymptotic values and rate of convergence", NeurIPS 1993; J.
Hestness et al., "Deep learning scaling is predictable, empirically", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATES = np.linspace(0.05, 1.5, 59)
"""Where the rate is looked for; for each, floor and scale follow in closed form."""


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """One law, or one for each of several resamples.

    Attributes:
        floor: float (...,), the error that remains with any number of rows, 0 or more.
        scale: float (...,), 0 or more.
        rate: float (...,).
    """

    floor: np.ndarray
    scale: np.ndarray
    rate: np.ndarray

    def at(self, rows: np.ndarray | float, *, most: float = 1.0) -> np.ndarray:
        """Returns the error at so many rows, float (..., m) for (m,), at most ``most``."""
        n = np.atleast_1d(np.asarray(rows, float))
        law = self.floor[..., None] + self.scale[..., None] * n ** -self.rate[..., None]
        return np.minimum(law, most)


def fit_power_law(rows: np.ndarray, errors: np.ndarray, weights: np.ndarray) -> PowerLaw:
    """Fits by weighted least squares: the best of all rates, with floor and scale not below 0.

    Args:
        rows: float (m,), numbers of training rows, 3 or more.
        errors: float (..., m), the errors there.
        weights: float (m,), what each counts: one by its variance.
    """
    w = weights / weights.sum()
    best = np.full(errors.shape[:-1], np.inf)
    floor, scale, rate = (np.zeros(errors.shape[:-1]) for _ in range(3))
    for one in RATES:
        x = (rows / rows[-1]) ** -one
        mean_x, mean_y = w @ x, errors @ w
        slope = (errors * x) @ w - mean_x * mean_y
        b = np.maximum(slope / (w @ (x - mean_x) ** 2), 0)
        a = mean_y - b * mean_x
        through_zero = ((errors * x) @ w) / (w @ x**2)
        a, b = np.where(a < 0, 0, a), np.where(a < 0, np.maximum(through_zero, 0), b)
        loss = (errors - a[..., None] - b[..., None] * x) ** 2 @ w
        better = loss < best
        best = np.where(better, loss, best)
        floor, scale = np.where(better, a, floor), np.where(better, b * rows[-1] ** one, scale)
        rate = np.where(better, one, rate)
    return PowerLaw(floor, scale, rate)
