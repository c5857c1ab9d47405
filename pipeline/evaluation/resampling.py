"""Bootstrap intervals: how far a figure might be off because other images could have been drawn.

Every figure here is a function of sums over rows (rows by true class, by predicted class, hits, losses), so a
resample is a row of weights and all resamples are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RESAMPLES = 1000
SEED = 0
FEWEST_UNITS = 10
ROUNDING = 1e-12
CHUNK = 2**22
"""Numbers in memory at a time, 32 MiB as float64."""

Sums = np.ndarray
"""float (b, columns): sums over the rows of each of b resamples; see :func:`_table`."""


def bootstrap_intervals(
    truth: np.ndarray,
    predicted: np.ndarray,
    losses: dict[str, np.ndarray],
    *,
    k: int,
    groups: np.ndarray | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, tuple[float, float]]:
    """Computes a BCa bootstrap interval of each figure that is a function of sums over rows.

    BCa corrects the plain percentiles for bias and skewness, which means of rare large losses and figures
    near 1 have. Sources: B. Efron, "Better bootstrap confidence intervals", JASA 82 (1987); what few rows
    or groups need on top is from T. Hesterberg, "What teachers should know about the bootstrap", The American
    Statistician 69 (2015).

    Args:
        truth: int (n,), labels from 0 to k - 1.
        predicted: int (n,), likewise.
        losses: What each row adds to a figure that is a mean over rows, float (n,) by name of the figure.
        k: Number of classes.
        groups: int (n,), rows that belong together (one patient's) are drawn together; None = each alone.
        level: Share of the intervals that hold the truth, over many data sets.
        resamples: How many times the rows are drawn.
        seed: The same seed gives the same intervals.

    Returns:
        Lower and upper end by name of the figure. A figure that is the same in every resample, such as the
        accuracy of a head without a mistake, has no entry: an interval of no width would promise too much.
        Neither has any figure of fewer than ten rows or groups, which cannot stand for what was not seen.
    """
    table = _table(truth, predicted, losses, k=k, groups=groups)
    units = table.shape[0]
    if units < FEWEST_UNITS:
        return {}
    figures = _figures(tuple(losses), k)
    total = np.asarray(table.sum(axis=0)).reshape(1, -1)
    whole = figures(total)
    drawn = _join(figures(weights @ table) for weights in _weights(units, table.shape[1], resamples, seed))
    left = _join(figures(total - table[part].toarray()) for part in _parts(units, table.shape[1]))
    return {
        name: _bca(drawn[name], left[name], float(whole[name][0]), level)
        for name in whole
        if np.ptp(drawn[name]) > ROUNDING
    }


def figures_of_margins(hits: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the figures that follow from counts by class, for many resamples at once.

    Args:
        hits: float (b, k), rows of each class that are predicted as it.
        true: float (b, k), rows of each class.
        predicted: float (b, k), rows predicted as each class.

    Returns:
        float (b,) by name of the figure, defined as in :class:`pipeline.evaluation.figures.Figures`.
    """
    n, right = true.sum(axis=1), hits.sum(axis=1)
    present = true > 0
    count = present.sum(axis=1)
    f1 = _share(2 * hits, true + predicted)
    chance = (true * predicted).sum(axis=1)
    spread = (n**2 - (true**2).sum(axis=1)) * (n**2 - (predicted**2).sum(axis=1))
    return {
        "accuracy": right / n,
        "balanced_accuracy": _share(hits, true).sum(axis=1) / count,
        "macro_f1": (f1 * present).sum(axis=1) / count,
        "weighted_f1": (f1 * true).sum(axis=1) / n,
        "mcc": _share(right * n - chance, np.sqrt(spread)),
        "kappa": _share(right * n - chance, n**2 - chance),
    }


def _table(
    truth: np.ndarray,
    predicted: np.ndarray,
    losses: dict[str, np.ndarray],
    *,
    k: int,
    groups: np.ndarray | None,
) -> csr_array:
    """Returns a sparse (units, 3k + losses): what each unit (row or group) adds to each sum."""
    from scipy.sparse import csr_array

    n = len(truth)
    hits = np.flatnonzero(truth == predicted)
    each = np.arange(n)
    rows = np.concatenate([hits, each, each, np.tile(each, len(losses))])
    columns = np.concatenate(
        [truth[hits], k + truth, 2 * k + predicted, 3 * k + np.repeat(np.arange(len(losses)), n)]
    )
    values = np.concatenate([np.ones(len(hits) + 2 * n), *losses.values()])
    units = each if groups is None else np.unique(groups, return_inverse=True)[1]
    return csr_array((values, (units[rows], columns)), shape=(units.max() + 1, 3 * k + len(losses)))


def _figures(losses: tuple[str, ...], k: int) -> Callable[[Sums], dict[str, np.ndarray]]:
    def compute(sums: Sums) -> dict[str, np.ndarray]:
        hits, true, predicted, means = np.split(sums, [k, 2 * k, 3 * k], axis=1)
        n = true.sum(axis=1)
        return figures_of_margins(hits, true, predicted) | {
            name: means[:, i] / n for i, name in enumerate(losses)
        }

    return compute


def _weights(units: int, columns: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yields float (b, units), how often each unit occurs in each of b resamples."""
    random = np.random.default_rng(seed)
    for part in _parts(resamples, max(units, columns)):
        b = part.stop - part.start
        drawn = random.integers(0, units, (b, units)) + units * np.arange(b)[:, None]
        yield np.bincount(drawn.ravel(), minlength=b * units).reshape(b, units).astype(float)


def _parts(count: int, width: int) -> Iterator[slice]:
    step = max(CHUNK // width, 1)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _join(parts: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    blocks = list(parts)
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _bca(drawn: np.ndarray, left: np.ndarray, whole: float, level: float) -> tuple[float, float]:
    """Returns the ends of the interval from the resamples and the values with one unit left out."""
    from scipy.special import ndtr, ndtri, stdtrit

    away = drawn - whole
    ties = np.abs(away) <= ROUNDING * max(abs(whole), 1)  # figures that follow from counts have many
    below = np.mean((away < 0) & ~ties) + np.mean(ties) / 2
    bias = ndtri(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    away = left.mean() - left
    spread = (away**2).sum()
    acceleration = (away**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    # Resamples of n units vary too little by a factor of sqrt(1 - 1 / n), and t quantiles are wider, too.
    n = len(left)
    z = bias + stdtrit(n - 1, np.array([(1 - level) / 2, (1 + level) / 2])) * np.sqrt(n / (n - 1))
    low, high = np.quantile(drawn, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)
