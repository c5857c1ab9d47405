"""Folds: rows cut so that every image is answered once by a head that has not seen it in any form."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.stratification import marks_of, stratified_folds
from pipeline.heads._core.trained import TrainedHead
from pipeline.images import UNLABELLED
from pipeline.images.targets import CLASS, NUMBER, count_targets
from pipeline.wording import counted, several

Fold = tuple[FeatureSet, FeatureSet]
"""The rows to learn from, and the rows to measure on."""


def split_folds(features: FeatureSet, count: int, *, seed: int) -> list[Fold]:
    """Cuts rows into folds, stratified by class, by labels, or by quantile bins of numbers.

    All views of an image, all copies of it, and all rows of a group of the source stay in one fold. Rows are
    not copied: a fold is the whole set in which only some rows keep what is known of them, and heads learn
    from and are measured on such rows alone. Only images themselves are measured on, never their views.

    Args:
        features: The rows.
        count: Number of folds, 2 or more.
        seed: Shuffles the groups.

    Raises:
        UsageError: There are fewer groups than folds, or every class has fewer rows than that.
    """
    known = np.flatnonzero(features.known)
    groups = row_groups(features)[known]
    most = most_folds(features)
    if most < 2:
        rows = "a class of two rows" if features.target == CLASS else "something known of them"
        raise UsageError(f"--cv {count} is not possible: it takes two groups of labelled rows, and {rows}")
    if not 2 <= count <= most:
        raise UsageError(f"--cv {count} is out of bounds: choose from 2 to {most}")
    folds = []
    for learn, measure in _cut(features, known, groups, count, seed):
        images = known[measure][features.rows.views[known[measure]] == 0]
        folds.append((keep_labels(features, known[learn]), keep_labels(features, images)))
    return folds


def _cut(
    features: FeatureSet, known: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the positions among the known rows that each fold learns from, and those that it measures."""
    if features.target != CLASS:
        marks = marks_of(features.targets[known], features.target, count)
        fold = stratified_folds(marks, groups, count, seed=seed)
        return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(count)]
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # see notes_on_folds
        return list(splitter.split(known, features.labels[known], groups))


def most_folds(features: FeatureSet) -> int:
    """Returns the largest number of folds that labelled rows can be cut into; below 2 there are none."""
    known = np.flatnonzero(features.known)
    groups = len(np.unique(row_groups(features)[known]))
    return min(groups, int(_sizes(features).max())) if features.target == CLASS else groups


def notes_on_folds(features: FeatureSet, folds: Sequence[Fold]) -> list[str]:
    """Says which classes or labels are not measured on in some folds, or not learnt there."""
    if features.target == NUMBER:
        return []
    sizes = _sizes(features)
    rare = [features.classes[i] for i in np.flatnonzero((sizes > 0) & (sizes < len(folds)))]
    unlearnt = {label for learn, measure in folds for label in _present(measure) - _present(learn)}
    missing = [features.classes[i] for i in sorted(unlearnt) if features.classes[i] not in rare]
    notes = []
    if rare:
        rows = counted(len(folds), "row")
        notes.append(f"fewer than {rows} of {several(rare)}: some folds are not measured on them")
    if missing:
        names = several(missing)
        lost = "accuracy on these is 0" if features.target == CLASS else "these are never answered"
        notes.append(f"some folds have no training rows of {names}: {lost} there")
    return notes


def row_groups(features: FeatureSet) -> np.ndarray:
    """Numbers what must stay together, int (n,): rows of one image, in whatever view, and of one group.

    A copy of an image that another group holds joins the two groups.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    digests = np.ascontiguousarray(features.rows.digests).view("V32").reshape(-1)
    image = np.unique(digests, return_inverse=True)[1]
    if not any(features.rows.groups):
        return image
    names = zip(features.rows.groups, digests, strict=True)
    keys = [f"group {name}" if name else digest.tobytes().hex() for name, digest in names]
    group = np.unique(keys, return_inverse=True)[1]
    groups, images = int(group.max()) + 1, int(image.max()) + 1
    links = coo_array((np.ones(len(group), bool), (group, groups + image)), shape=(groups + images,) * 2)
    component = connected_components(links, directed=False)[1][group]
    # Named after its first group, a component has the place that this one has without copies elsewhere.
    first = np.full(int(component.max()) + 1, groups)
    np.minimum.at(first, component, group)
    return np.unique(first[component], return_inverse=True)[1]


def keep_labels(features: FeatureSet, kept: np.ndarray) -> FeatureSet:
    """Returns the same rows with what is known of all but the kept ones, int (m,), taken away."""
    rows = features.rows
    labels = np.full(len(features), UNLABELLED, np.int32)
    labels[kept] = rows.labels[kept]
    targets = np.full_like(rows.targets, np.nan)
    targets[kept] = rows.targets[kept]
    return replace(features, rows=replace(rows, labels=labels, targets=targets))


def out_of_fold(
    folds: Sequence[Fold], fit: Callable[[FeatureSet], TrainedHead]
) -> tuple[np.ndarray, np.ndarray]:
    """Answers for each image by a head that was fitted without it.

    Args:
        folds: See :func:`split_folds`.
        fit: Fits a head on labelled rows.

    Returns:
        float64 (N, k), the probabilities of the classes or labels, or the numbers; 0 for rows that are
        measured in no fold. And int (N,), the number of each row's fold, -1 for those.
    """
    whole = folds[0][1]
    answers, fold = np.zeros((len(whole), len(whole.classes))), np.full(len(whole), -1)
    for number, (learn, measure) in enumerate(folds):
        asked = select_all(measure)
        answers[asked.index] = fit(learn).answer(asked)
        fold[asked.index] = number
    return answers, fold


def _sizes(features: FeatureSet) -> np.ndarray:
    """Counts the rows of each class or label, int (k,)."""
    if features.target != CLASS:
        return count_targets(features.targets, features.target)[0]
    return np.bincount(features.labels[features.known], minlength=1)


def _present(features: FeatureSet) -> set[int]:
    """Returns the classes or labels that some rows have."""
    return set(np.flatnonzero(_sizes(features)).tolist())
