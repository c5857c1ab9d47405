"""An evaluation of labels or numbers: answers, figures, and remarks without which they would mislead."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks, record_look
from pipeline.evaluation.rows import REMEMBERED
from pipeline.evaluation.targets.label_figures import LabelsFigures, measure_labels
from pipeline.evaluation.targets.number_figures import NumbersFigures, measure_numbers
from pipeline.evaluation.targets.report import TargetReport
from pipeline.heads import TrainedHead, load_head
from pipeline.images.row_table import RowTable
from pipeline.images.targets import LABELS
from pipeline.wording import counted, several, verb

RANDOM = "RANDOM FILTERS ({}): the base was never trained; expect poor figures"


def evaluate_targets(
    head: TrainedHead | str | os.PathLike[str],
    features: FeatureSet,
    *,
    val: FeatureSet | None = None,
    leaks: Leaks | None = None,
) -> TargetReport:
    """Measures a head of labels or numbers on one split, and counts that it was done.

    Augmented views are left out: they would count one image several times.

    Args:
        head: The trained head, or its folder; it refuses features of another spec.
        features: The split, with the labels or numbers of the head.
        val: The val split, which tells how wide prediction intervals of numbers are; None = there are none.
        leaks: What a check of this split against the others found.

    Returns:
        The figures and the answers; nothing is written but the count.

    Raises:
        CacheMismatchError: The features have another spec, or other labels or numbers.
        UsageError: Nothing is known of any row.
        PipelineError: The evaluation cannot be counted.
    """
    if isinstance(head, str | os.PathLike):
        head = load_head(head)
    originals = np.flatnonzero(features.rows.views == 0)
    rows = features.rows.take(originals)
    truth = _truth(head, features)[originals]
    if np.isnan(truth).all():
        raise UsageError(f"{features.path}: nothing is known of any of its {counted(len(rows), 'image')}")
    answers = head.predict_targets(features)[originals]
    groups = _groups(rows.groups)
    figures: LabelsFigures | NumbersFigures
    if head.task.target == LABELS:
        thresholds = [head.threshold(label) for label in range(len(head.classes))]
        figures = measure_labels(truth, answers, head.classes, thresholds, groups)
    else:
        residuals = None if val is None else _residuals(head, val)
        figures = measure_numbers(
            truth,
            answers,
            head.classes,
            head.offsets,
            residuals=residuals,
            groups=groups,
            held_out=features.split != "val",
        )
    looks = None
    if head.folder is not None:
        looks = record_look(
            head.folder.parent,
            head=head.name,
            split=features.split,
            probabilities=answers,
            digests=rows.digests,
        )
    return TargetReport(
        head=head,
        dataset=features.dataset,
        split=features.split,
        figures=figures,
        truth=truth,
        answers=answers,
        rows=rows,
        notes=tuple(_notes(head, features, rows, ~np.isnan(truth).all(axis=1), looks, leaks)),
        looks=looks,
        leaks=leaks,
    )


def _truth(head: TrainedHead, features: FeatureSet) -> np.ndarray:
    """Returns the targets in the order of the head, float32 (N, k).

    Raises:
        CacheMismatchError: They are of another kind, or others.
    """
    if features.target != head.task.target or set(features.classes) != set(head.classes):
        alone = sorted(set(features.classes) ^ set(head.classes))
        what = f"only one of the two has {several(alone)}" if alone else "they are of another kind"
        raise CacheMismatchError(
            f"{features.path}: its labels or numbers are not those of head {head.name!r}: {what}. "
            f"Run `pipeline train-head --head {head.name}` on these"
        )
    return features.targets[:, [features.classes.index(name) for name in head.classes]]


def _residuals(head: TrainedHead, val: FeatureSet) -> list[np.ndarray]:
    """Returns the absolute errors on val for each number, float (m,)."""
    rows = val.rows.views == 0
    errors = np.abs(_truth(head, val)[rows] - head.predict_targets(val)[rows])
    return [column[~np.isnan(column)].astype(np.float64) for column in errors.T]


def _groups(groups: Sequence[str]) -> np.ndarray | None:
    """Returns which group each image is of, int (n,); an image without one is a group of its own."""
    if not any(groups):
        return None
    places: dict[str, int] = {}
    return np.array([places.setdefault(name or f"\0{row}", len(places)) for row, name in enumerate(groups)])


def _notes(
    head: TrainedHead,
    features: FeatureSet,
    rows: RowTable,
    known: np.ndarray,
    looks: Looks | None,
    leaks: Leaks | None,
) -> list[str]:
    notes = []
    if head.spec.weights.startswith("random:"):
        notes.append(RANDOM.format(head.spec.weights))
    if features.split == "train":
        notes.append(REMEMBERED)
    elif head.seen is not None:
        trained = int((known & head.seen.trained_on(rows.digests)).sum())
        leaking = 0 if leaks is None else int((known & leaks.mask(features.split, rows.ids)).sum())
        for count, what in (
            (trained, "the head was trained on"),
            (leaking, "the training split holds, too,"),
        ):
            if count:
                notes.append(
                    f"LEAK: {what} {count:,} of {counted(int(known.sum()), 'image')}: figures are too good; "
                    "`pipeline check` names them"
                )
    if looks is not None and looks.note:
        notes.append(looks.note)
    unknown = int(np.isnan(features.targets[features.rows.views == 0]).any(axis=1).sum())
    if unknown:
        notes.append(
            f"of {counted(unknown, 'image')} something is unknown, and {verb(unknown, 'is', 'are')} left out "
            "there"
        )
    return notes
