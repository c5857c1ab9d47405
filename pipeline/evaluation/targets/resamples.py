"""Bootstrap of figures of any kind: images, or groups of them, are drawn again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipeline.evaluation.resampling import FEWEST_UNITS, RESAMPLES, ROUNDING, SEED
from pipeline.progress import late_progress

LEVEL = 0.95
TESTED = 1999
"""Resamples of a paired test: no p is below 0.001, so that it is told among as many as fifty heads."""
REFLECTED = frozenset({"map"})
"""Figures whose resamples are shifted, see :func:`reflected`."""
CHUNK = 2**19
"""Weights in memory at a time."""

Figure = Callable[[np.ndarray], dict[str, np.ndarray]]
"""Maps weights of rows, float (b, n), to figures, float (b,) by name; NaN where one is not defined."""


def intervals(figures: Figure, rows: int, groups: np.ndarray | None) -> dict[str, tuple[float, float]]:
    """Returns the ends of the 95 % interval of each figure: its percentiles, or those reflected.

    Args:
        figures: Computes them for many resamples at once.
        rows: Number n of rows.
        groups: int (n,), rows that belong together (one patient's) are drawn together; None = each alone.

    Returns:
        By name; a figure that is the same in every resample has none, nor has any of fewer than ten units.
    """
    (drawn,) = resampled([figures], rows, groups, resamples=RESAMPLES, title="intervals")
    whole = figures(np.ones((1, rows)))
    ends = {name: _interval(name, float(whole[name][0]), values) for name, values in drawn.items()}
    return {name: known for name, known in ends.items() if known is not None}


def _interval(name: str, value: float, drawn: np.ndarray) -> tuple[float, float] | None:
    ends = percentile_interval(drawn)
    if ends is None or name not in REFLECTED:
        return ends
    low, high = (float(end) for end in reflected(np.array(ends), value).clip(0, 1))
    return high, low


def reflected(drawn: np.ndarray, value: float | np.ndarray) -> np.ndarray:
    """Returns figures of resamples on the other side of the figure of all images, as far from it.

    Of an image that is drawn twice, one row has the label right behind the other, so that the average
    precision of resamples is above that of the images, by about as much as this is above that of all images
    there could be. Reflected, both shifts cancel: the basic bootstrap of A. C. Davison and D. V. Hinkley,
    "Bootstrap Methods and their Application", 1997; ``benchmarks/map_coverage.py`` measures what it is worth.

    Args:
        drawn: Of resamples, float.
        value: Of all images; shapes broadcast.
    """
    return 2 * value - drawn


def percentile_interval(drawn: np.ndarray) -> tuple[float, float] | None:
    """Returns the ends that hold 95 % of resamples, float (b,); None where all of them are the same."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.ptp(drawn) <= ROUNDING:
        return None
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def resampled(
    figures: Sequence[Figure], rows: int, groups: np.ndarray | None, *, resamples: int, title: str
) -> list[dict[str, np.ndarray]]:
    """Computes figures of several kinds of answers to the same rows for the same resamples of these.

    Args:
        figures: Those of each kind of answers.
        rows: Number n of rows.
        groups: int (n,), rows that are drawn together; None = each alone.
        resamples: Number b of resamples.
        title: What progress is called, where it takes long.

    Returns:
        For each kind, float (b,) by name of the figure; nothing where there are fewer than ten units.
    """
    units = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(units.max(initial=-1)) + 1
    if count < FEWEST_UNITS:
        return [{} for _ in figures]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in figures]
    with late_progress(title, resamples * len(figures), "resamples") as advance:
        for weights in drawn_weights(count, rows, resamples):
            for compute, part in zip(figures, parts, strict=True):
                part.append(compute(weights[:, units]))
                advance(len(weights))
    return [{name: np.concatenate([one[name] for one in part]) for name in part[0]} for part in parts]


def drawn_weights(units: int, rows: int, resamples: int) -> Iterator[np.ndarray]:
    """Yields float (b, units), how often each unit occurs in each of b resamples.

    Args:
        units: What is drawn: rows, or groups of them.
        rows: Rows that the weights are for, which decide how many resamples come at a time.
        resamples: The sum of all b.
    """
    random = np.random.default_rng(SEED)
    size = max(CHUNK // max(rows, 1), 1)
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        drawn = random.integers(0, units, (count, units)) + units * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units).astype(float)
