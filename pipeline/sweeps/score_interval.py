"""Intervals of the figures that candidates are ranked by: how far off chance may have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.targets.part_figures import ranking
from pipeline.evaluation.targets.resamples import intervals
from pipeline.heads import Examples, row_groups
from pipeline.images.targets import CLASS

Ends = tuple[float, float]


def drawn_interval(kind: str, rows: Examples, answers: np.ndarray) -> Ends | None:
    """Returns the 95 % bootstrap interval of the figure of labels or numbers.

    Args:
        kind: What is answered.
        rows: The n rows that were answered; those of a group, and those of an image, are drawn together.
        answers: float (n, k).

    Returns:
        None for classes, whose accuracy follows from counts, see ``Result.interval``; for fewer than ten
        groups, and where no draw changes the figure.
    """
    if kind == CLASS:
        return None
    (ends,) = intervals(ranking(kind, rows.targets, answers), len(rows), rows.once(groups_of)).values() or (
        None,
    )
    return ends


def figure_at_once(kind: str, truth: np.ndarray, answers: np.ndarray) -> float:
    """Returns the figure of labels or numbers; NaN where it is not defined.

    Args:
        kind: ``LABELS`` or ``NUMBER``.
        truth: (n, k), NaN where a label or number is unknown.
        answers: float (n, k).
    """
    (value,) = ranking(kind, truth, answers)(np.ones((1, len(truth)))).values()
    return float(value[0])


def groups_of(rows: Examples) -> np.ndarray | None:
    """Numbers what is drawn together, int (n,), see ``row_groups``; None where each row is drawn alone."""
    return unless_alone(row_groups(rows.source)[rows.index])


def unless_alone(groups: np.ndarray) -> np.ndarray | None:
    """Returns groups, int (n,); None where each row is one of its own, and so is drawn alone."""
    return groups if len(np.unique(groups)) < len(groups) else None


def joined_interval(
    mean: float, shares: Sequence[float], values: Sequence[float], ends: Sequence[Ends | None]
) -> Ends | None:
    """Returns the interval of a weighted mean of figures, each of other images than the others.

    Source: G. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in
    Medicine 27 (2008): distances to the ends add up as their squares do.

    Args:
        mean: The weighted mean.
        shares: The weight of each figure; their sum is 1.
        values: The figures.
        ends: Their own intervals; without one of them there is none of the mean.
    """
    below = above = 0.0
    for share, value, own in zip(shares, values, ends, strict=True):
        if own is None:
            return None
        below += (share * (value - own[0])) ** 2
        above += (share * (own[1] - value)) ** 2
    return mean - math.sqrt(below), mean + math.sqrt(above)
