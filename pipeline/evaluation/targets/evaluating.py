"""An evaluation of labels or numbers: answers, figures, and remarks without which they would mislead."""

from __future__ import annotations

import os

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation.conformal import one_of_each
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks, record_look
from pipeline.evaluation.remarks import on_filters
from pipeline.evaluation.rows import HonestFigure, SeenRows, unit_names
from pipeline.evaluation.targets.label_figures import LabelsFigures, measure_labels
from pipeline.evaluation.targets.number_figures import NumbersFigures, measure_numbers
from pipeline.evaluation.targets.report import TargetReport
from pipeline.heads import TrainedHead, load_head
from pipeline.heads._core.target_figures import figure_text
from pipeline.images.row_table import RowTable
from pipeline.images.targets import LABELS, on_unknown
from pipeline.wording import counted, several


def evaluate_targets(
    head: TrainedHead | str | os.PathLike[str],
    features: FeatureSet,
    *,
    val: FeatureSet | None = None,
    leaks: Leaks | None = None,
) -> TargetReport:
    """Measures a head of labels or numbers on one split, and counts that it was done.

    Augmented views are left out: they would count one image several times.

    Example:
        >>> val, test = (open_features(entry, split) for split in ("val", "test"))
        >>> evaluate_targets(head, test, val=val).figures.to_json()

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
    known, groups = ~np.isnan(truth).all(axis=1), group_numbers(rows)
    residuals = None if val is None or head.task.target == LABELS else errors_on_val(head, val, leaks)
    held_out = features.split != "val"

    def measured(chosen: np.ndarray) -> LabelsFigures | NumbersFigures:
        own = None if groups is None else groups[chosen]
        if head.task.target == LABELS:
            return measure_labels(truth[chosen], answers[chosen], head.classes, head.answered_from, own)
        return measure_numbers(
            truth[chosen],
            answers[chosen],
            head.classes,
            head.offsets,
            residuals=residuals,
            groups=own,
            held_out=held_out,
        )

    figures, honest = measured(np.ones(len(rows), bool)), None
    seen = SeenRows.among(rows, features.split, head=head.seen, leaks=leaks, known=known)
    if seen.mask.any() and (known & ~seen.mask).any():
        honest = measured(~seen.mask)
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
        trained=head,
        dataset=features.dataset,
        split=features.split,
        figures=figures,
        truth=truth,
        answers=answers,
        rows=rows,
        notes=tuple(_notes(features, figures, honest, seen, groups, truth, looks)),
        looks=looks,
        leaks=leaks,
        without_leaks=honest,
        trained_on=seen.trained_on,
        validated_on=seen.validated_on,
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


def errors_on_val(head: TrainedHead, val: FeatureSet, leaks: Leaks | None = None) -> list[np.ndarray]:
    """Returns the absolute errors on val for each number, float (m,).

    Of images that the head was trained on it would err too little, and images of a group err alike: the
    former take no part, and of a group one does.

    Args:
        head: A head of numbers.
        val: The val split.
        leaks: What a check of val against the other splits found; None = nobody looked.

    Raises:
        CacheMismatchError: The features have another spec or other numbers, or a row is damaged.
    """
    originals = np.flatnonzero(val.rows.views == 0)
    rows, truth = val.rows.take(originals), _truth(head, val)[originals]
    errors = np.abs(truth - head.predict_targets(val)[originals])
    known = ~np.isnan(truth)
    seen = SeenRows.among(rows, val.split, head=head.seen, leaks=leaks, known=known.any(axis=1))
    names = unit_names(rows)
    found: list[np.ndarray] = []
    for number in known.T:
        used = np.flatnonzero(number & ~seen.mask)
        drawn = used[one_of_each([names[i] for i in used.tolist()], np.zeros(len(used), np.int64))]
        found.append(errors[drawn, len(found)].astype(np.float64))
    return found


def group_numbers(rows: RowTable) -> np.ndarray | None:
    """Returns which group each image is of, int (n,); an image without one is a group of its own."""
    if not any(rows.groups):
        return None
    places: dict[str, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in unit_names(rows)])


def _notes(
    features: FeatureSet,
    figures: LabelsFigures | NumbersFigures,
    honest: LabelsFigures | NumbersFigures | None,
    seen: SeenRows,
    groups: np.ndarray | None,
    truth: np.ndarray,
    looks: Looks | None,
) -> list[str]:
    """Collects the remarks without which figures would mislead."""
    notes = [*seen.notes(_headline(figures, honest)), *on_filters(features.spec), *on_unknown(truth)]
    if groups is not None:
        notes.append(
            f"the images belong to {counted(len(np.unique(groups)), 'group')}, which are drawn whole for the "
            "intervals"
        )
    if isinstance(figures, LabelsFigures) and features.split == "val":
        notes.append(
            "the thresholds of the labels were chosen on val, so F1 and exact match on val are too good; "
            "mean average precision needs no thresholds"
        )
    if looks is not None and looks.note:
        notes.append(looks.note)
    return notes


def _headline(
    figures: LabelsFigures | NumbersFigures, honest: LabelsFigures | NumbersFigures | None
) -> HonestFigure | None:
    """Returns the first figure that is there with the seen images and without them."""
    if honest is None:
        return None
    for name, (value, _) in figures.lines.items():
        if name in honest.lines:
            without = figure_text(name, honest.lines[name][0])
            return HonestFigure(name, figure_text(name, value), without, honest.n)
    return None
