"""Bootstrap intervals of figures of any kind: images, or groups of them, are drawn again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pipeline.evaluation.resampling import FEWEST_UNITS, RESAMPLES, ROUNDING, SEED

LEVEL = 0.95
CHUNK = 2**21
"""Weights in memory at a time."""

Figure = Callable[[np.ndarray], dict[str, np.ndarray]]
"""Maps weights of rows, float (b, n), to figures, float (b,) by name; NaN where one is not defined."""


def intervals(figures: Figure, rows: int, groups: np.ndarray | None) -> dict[str, tuple[float, float]]:
    """Returns the ends of the 95 % percentile interval of each figure.

    Args:
        figures: Computes them for many resamples at once.
        rows: Number n of rows.
        groups: int (n,), rows that belong together (one patient's) are drawn together; None = each alone.

    Returns:
        By name; a figure that is the same in every resample has none, nor has any of fewer than ten units.
    """
    units = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(units.max(initial=-1)) + 1
    if count < FEWEST_UNITS:
        return {}
    parts = [figures(weights[:, units]) for weights in _weights(count, rows)]
    ends = {}
    for name in parts[0]:
        drawn = np.concatenate([part[name] for part in parts])
        drawn = drawn[~np.isnan(drawn)]
        if len(drawn) and np.ptp(drawn) > ROUNDING:
            low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            ends[name] = (float(low), float(high))
    return ends


def _weights(units: int, rows: int) -> Iterator[np.ndarray]:
    """Yields float (b, units), how often each unit occurs in each of b resamples."""
    random = np.random.default_rng(SEED)
    size = max(CHUNK // max(rows, 1), 1)
    for start in range(0, RESAMPLES, size):
        count = min(size, RESAMPLES - start)
        drawn = random.integers(0, units, (count, units)) + units * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units).astype(float)
