"""Folds for cross-validation: the same rows, with the labels of some taken away."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.counts import counted
from pipeline.errors import UsageError
from pipeline.images import UNLABELLED
from pipeline.names import several
from pipeline.progress import say


def split_folds(features: FeatureSet, count: int, *, seed: int) -> list[tuple[FeatureSet, FeatureSet]]:
    """Cuts training rows into folds, stratified by class.

    All views of an image, all copies of it, and all rows of a group of the source stay in one fold. Rows are
    not copied: a fold is the whole set in which only some rows keep their labels, and heads learn from and
    are measured on labelled rows alone. Only images themselves are measured on, never their views.

    Args:
        features: The training rows.
        count: Number of folds, 2 or more.
        seed: Shuffles the groups.

    Returns:
        Per fold, the rows to learn from and the rows to measure on.

    Raises:
        UsageError: There are fewer groups than folds, or every class has fewer rows than that.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    labelled = np.flatnonzero(features.labels != UNLABELLED)
    groups = row_groups(features)[labelled]
    sizes = np.bincount(features.labels[labelled], minlength=1)
    most = min(len(np.unique(groups)), int(sizes.max()))
    if most < 2:
        raise UsageError(
            f"--cv {count} is not possible: it takes two groups of labelled rows, and a class of two rows"
        )
    if not 2 <= count <= most:
        raise UsageError(f"--cv {count} is out of bounds: choose from 2 to {most}")
    if rare := [features.classes[i] for i in np.flatnonzero((sizes > 0) & (sizes < count))]:
        rows = counted(count, "row")
        say(f"note: fewer than {rows} of {several(rare)}: some folds are not measured on them")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds: list[tuple[FeatureSet, FeatureSet]] = []
    unlearnt: set[int] = set()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # said above
        for learn, measure in splitter.split(labelled, features.labels[labelled], groups):
            images = labelled[measure][features.rows.views[labelled[measure]] == 0]
            unlearnt.update(np.setdiff1d(features.labels[images], features.labels[labelled[learn]]).tolist())
            folds.append((_only(features, labelled[learn]), _only(features, images)))
    if unlearnt := [features.classes[i] for i in sorted(unlearnt) if features.classes[i] not in rare]:
        names = several(unlearnt)
        say(f"note: some folds have no training rows of {names}: accuracy on these is 0 there")
    return folds


def row_groups(features: FeatureSet) -> np.ndarray:
    """Numbers what must stay together, int (n,): rows of one group of the source, else of one image."""
    names = zip(features.rows.groups, features.rows.digests, strict=True)
    keys = [f"group {group}" if group else digest.tobytes().hex() for group, digest in names]
    return np.unique(keys, return_inverse=True)[1]


def _only(features: FeatureSet, kept: np.ndarray) -> FeatureSet:
    """Returns the same rows with the labels of all but the kept ones, int (m,), taken away."""
    labels = np.full(len(features), UNLABELLED, np.int32)
    labels[kept] = features.labels[kept]
    return replace(features, rows=replace(features.rows, labels=labels))
