"""Orders of training rows in which each beginning has classes, labels or quantile bins in their shares."""

from __future__ import annotations

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.heads import row_groups
from pipeline.heads._core.stratification import marks_of, stratified_folds
from pipeline.images.targets import CLASS

PARTS = 64
"""Folds that stand one after the other in an order of rows with targets; the first is cut likewise."""
FEWEST_IN_PART = 10
"""Rows below which a fold is not worth cutting."""


def draw_order(train: FeatureSet, known: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draws an order of rows of which something is known, whole groups together.

    Args:
        train: The rows.
        known: int (n,), which of them take part.
        random: Draws it.

    Returns:
        int (n,), the same rows.
    """
    groups = row_groups(train)[known]
    if train.target == CLASS:
        return known[_of_classes(train.labels[known], groups, random)]
    return known[_of_targets(train.targets[known], train.target, groups, random)]


def _of_classes(labels: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    chance = random.random(int(groups.max()) + 1)[groups] + 1e-9 * random.random(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        place[own[np.argsort(chance[own])]] = (np.arange(len(own)) + random.random()) / len(own)
    of_group = np.bincount(groups, weights=place) / np.maximum(np.bincount(groups), 1)
    return np.lexsort((chance, groups, of_group[groups]))


def _of_targets(
    targets: np.ndarray, kind: str, groups: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Puts stratified folds one after the other, small ones first: the first fold is cut again and again."""
    chance = random.random(int(groups.max()) + 1)[groups]
    parts: list[np.ndarray] = []
    left = np.arange(len(groups))
    while (count := min(PARTS, len(left) // FEWEST_IN_PART)) >= 2:
        marks = marks_of(targets[left], kind, count)
        fold = stratified_folds(marks, groups[left], count, seed=int(random.integers(2**31)))
        first = fold == fold.min()
        rest = left[~first]
        if not len(rest):  # one group holds them all
            break
        parts.append(rest[np.lexsort((groups[rest], chance[rest], fold[~first]))])
        left = left[first]
    parts.append(left[np.lexsort((groups[left], chance[left]))])
    return np.concatenate(parts[::-1])
