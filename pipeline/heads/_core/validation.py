"""Validation: what a head is worth on rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.heads._core.examples import Examples, select_all, select_known
from pipeline.heads._core.target_figures import FIGURES, best_thresholds, score
from pipeline.heads._core.trained import TrainedHead
from pipeline.images.targets import CLASS, LABELS


def measured(trained: TrainedHead, features: FeatureSet | None) -> TrainedHead:
    """Adds what a head is worth on validation rows; without labelled ones it stays as it is."""
    if features is None or not features.known.any():
        return trained
    if trained.task.target == CLASS:
        rows = select_all(features)
        return judged(trained, rows, trained.predict_proba(features)[rows.index])
    rows = select_known(features)
    rows = rows.where(features.rows.views[rows.index] == 0)
    return judged(trained, rows, trained.answer(rows)) if len(rows) else trained


def judged(trained: TrainedHead, rows: Examples, answers: np.ndarray) -> TrainedHead:
    """Adds what a head is worth by answers that it has given already.

    Args:
        trained: The head.
        rows: At least one row that it did not learn from, see ``select_all``.
        answers: Its answers to them, float64 (n, k), see ``TrainedHead.answer``.
    """
    target = trained.task.target
    trained = with_val_score(trained, score(target, rows.truth, answers))
    if target == CLASS:
        not_found = classes_not_found(trained.classes, rows.labels, answers.argmax(axis=1))
        return replace(trained, not_found=not_found)
    thresholds = best_thresholds(rows.targets, answers) if target == LABELS else ()
    return replace(trained, thresholds=thresholds)


def with_val_score(trained: TrainedHead, value: float) -> TrainedHead:
    """Returns a head with a figure on validation rows, the one that its kind is chosen by."""
    target = trained.task.target
    if target == CLASS:
        return replace(trained, val_accuracy=value)
    return replace(trained, val_figure=(FIGURES[target], value))


def classes_not_found(classes: Sequence[str], labels: np.ndarray, guesses: np.ndarray) -> tuple[str, ...]:
    """Returns the classes that have rows, none of which is right.

    Args:
        classes: k names.
        labels: True classes, int (n,).
        guesses: Classes that were answered, int (n,).
    """
    rows, right = (np.bincount(part, minlength=len(classes)) for part in (labels, labels[labels == guesses]))
    return tuple(classes[i] for i in np.flatnonzero((rows > 0) & (right == 0)).tolist())
