"""Iterative stratification: rows cut into folds that have every label in its share, rare ones first.

Source: K. Sechidis et al., "On the stratification of multi-label data", ECML PKDD 2011. Here whole groups are
dealt out, not rows, and numbers take part as the quantile bins that they fall into.
"""

from __future__ import annotations

import numpy as np

from pipeline.images.targets import LABELS

MOST_BINS = 10
"""Quantile bins of a number; fewer where a bin would have fewer rows than there are folds."""


def stratified_folds(marks: np.ndarray, groups: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Deals groups out to folds.

    Args:
        marks: bool (n, m), what each row has.
        groups: int (n,), what must stay together.
        count: Number of folds.
        seed: Orders the groups, and decides where folds want one alike.

    Returns:
        int (n,), the fold of each row.
    """
    random = np.random.default_rng(seed)
    place = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(place)
    held = np.zeros((len(sizes), marks.shape[1]))
    np.add.at(held, place, marks)
    wanted_rows = np.full(count, len(groups) / count)
    wanted = np.repeat(held.sum(axis=0, keepdims=True) / count, count, axis=0)
    fold = np.full(len(sizes), -1)
    order = np.lexsort((random.permutation(len(sizes)), -sizes))  # large groups are hard to place late

    def deal(group: int, wishes: np.ndarray) -> None:
        best = np.lexsort((random.random(count), -wanted_rows, -wishes))[0]
        fold[group] = best
        wanted[best] -= held[group]
        wanted_rows[best] -= sizes[group]

    left = held.sum(axis=0)
    while (left > 0).any():
        mark = int(np.where(left > 0, left, np.inf).argmin())
        for group in order[(fold[order] < 0) & (held[order, mark] > 0)].tolist():
            deal(group, wanted[:, mark])
            left -= held[group]
    for group in order[fold[order] < 0].tolist():
        deal(group, wanted_rows)
    return fold[place]


def marks_of(targets: np.ndarray, kind: str, count: int) -> np.ndarray:
    """Tells what rows have that folds should share out evenly: labels, or quantile bins of numbers.

    Args:
        targets: (n, k), NaN where one is unknown.
        kind: ``LABELS`` or ``NUMBER``.
        count: Number of folds.

    Returns:
        bool (n, m).
    """
    if kind == LABELS:
        return np.asarray(targets == 1)
    return np.concatenate([_bins(column, count) for column in targets.T], axis=1)


def _bins(values: np.ndarray, count: int) -> np.ndarray:
    """Returns which quantile bin each value is in, bool (n, b); an unknown one is in none."""
    known = ~np.isnan(values)
    bins = int(np.clip(known.sum() // count, 1, MOST_BINS))
    edges = np.quantile(values[known], np.linspace(0, 1, bins + 1)[1:-1]) if known.any() else []
    return (np.searchsorted(edges, values, side="right")[:, None] == np.arange(bins)) & known[:, None]
