"""Validation: what a head is worth on rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.heads._core.examples import select_known
from pipeline.heads._core.target_figures import FIGURES, best_thresholds, score
from pipeline.heads._core.trained import TrainedHead
from pipeline.images.targets import CLASS, LABELS


def measured(trained: TrainedHead, features: FeatureSet | None) -> TrainedHead:
    """Adds what a head is worth on validation rows; without labelled ones it stays as it is."""
    if features is None or not features.known.any():
        return trained
    if trained.task.target != CLASS:
        return _measured_targets(trained, features)
    labelled = features.labels >= 0
    guesses = trained.predict_proba(features).argmax(axis=1)[labelled]
    labels = features.labels[labelled]
    return replace(
        trained,
        val_accuracy=float(np.mean(guesses == labels)),
        not_found=classes_not_found(trained.classes, labels, guesses),
    )


def _measured_targets(trained: TrainedHead, features: FeatureSet) -> TrainedHead:
    rows = select_known(features)
    rows = rows.where(features.rows.views[rows.index] == 0)
    if not len(rows):
        return trained
    target, answers = trained.task.target, trained.answer(rows)
    return replace(
        trained,
        val_figure=(FIGURES[target], score(target, rows.targets, answers)),
        thresholds=best_thresholds(rows.targets, answers) if target == LABELS else (),
    )


def classes_not_found(classes: Sequence[str], labels: np.ndarray, guesses: np.ndarray) -> tuple[str, ...]:
    """Returns the classes that have rows, none of which is right.

    Args:
        classes: k names.
        labels: True classes, int (n,).
        guesses: Classes that were answered, int (n,).
    """
    rows, right = (np.bincount(part, minlength=len(classes)) for part in (labels, labels[labels == guesses]))
    return tuple(classes[i] for i in np.flatnonzero((rows > 0) & (right == 0)).tolist())
