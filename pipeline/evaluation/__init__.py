"""Figures out: what a trained head is worth on one split."""

from __future__ import annotations

import os

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.calibrating import TemperatureEffect
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks, record_look
from pipeline.evaluation.metrics import measure
from pipeline.evaluation.remarks import remarks
from pipeline.evaluation.report import Report
from pipeline.evaluation.rows import SeenRows, uncalibrated_answers, unit_names
from pipeline.heads import TrainedHead, load_head
from pipeline.images.row_table import RowTable
from pipeline.images.targets import CLASS, described

__all__ = ["Figures", "Looks", "Report", "TemperatureEffect", "evaluate", "measure"]


def evaluate(
    head: TrainedHead | str | os.PathLike[str],
    features: FeatureSet,
    *,
    leaks: Leaks | None = None,
) -> Report:
    """Measures a trained head on one split, at its temperature if it has one, and counts that it was done.

    A head of several labels or of numbers is measured by :func:`pipeline.evaluate_targets`. Augmented views
    are left out: they would count one image several times.

    Example:
        >>> evaluate(head, open_features(entry, "test")).figures.accuracy

    Args:
        head: The trained head, or its folder; it refuses features of another spec.
        features: The split. Its labels are translated by class name where its classes are not those of
            the head.
        leaks: What a check of this split against the others found; figures without the leaking rows are
            given beside those of all.

    Returns:
        The figures, the answer to each row, and remarks without which figures would mislead; nothing is
        written but the count.

    Raises:
        CacheMismatchError: The head does not know a class of the split, or the features' spec.
        UsageError: No row has a label, or the head answers with several labels or numbers.
        PipelineError: The head's answers are no probabilities, or the evaluation cannot be counted.
    """
    if isinstance(head, str | os.PathLike):
        head = load_head(head)
    if head.task.target != CLASS:
        raise UsageError(
            f"head {head.name!r} answers with {described(head.task.target)}: "
            "pipeline.evaluate_targets measures it"
        )
    rows, own = uncalibrated_answers(head, features)
    groups = _groups(rows)
    figures = measure(rows.labels, own, head.classes, groups=groups)
    probabilities, calibration = own, None
    if head.temperature is not None:
        probabilities = head.temperature.apply(own, head.known)
        calibration = TemperatureEffect(head.temperature, before=figures)
        figures = measure(rows.labels, probabilities, head.classes, groups=groups)
    seen, honest = SeenRows.among(rows, features.split, head=head.seen, leaks=leaks), None
    new = ~seen.mask
    if not new.all() and (seen.labelled & new).any():
        kept = None if groups is None else groups[new]
        honest = measure(rows.labels[new], probabilities[new], head.classes, groups=kept)
    looks = None
    if head.folder is not None:
        looks = record_look(
            head.folder.parent,
            head=head.name,
            split=features.split,
            probabilities=own,
            digests=rows.digests,
        )
    return Report(
        head=head.name,
        dataset=features.dataset,
        split=features.split,
        spec=features.spec,
        figures=figures,
        probabilities=probabilities,
        rows=rows,
        history=head.history,
        run=head.folder,
        notes=remarks(
            features,
            figures,
            groups,
            looks,
            seen,
            honest,
            known=head.known,
            calibrated=calibration is not None,
        ),
        versions=head.versions,
        calibration=calibration,
        looks=looks,
        leaks=leaks,
        without_leaks=honest,
        trained_on=seen.trained_on,
        validated_on=seen.validated_on,
    )


def _groups(rows: RowTable) -> np.ndarray | None:
    """Returns the group of each row, one of its own where it has none; None where no row has any."""
    if not any(rows.groups):
        return None
    return np.array(unit_names(rows))
