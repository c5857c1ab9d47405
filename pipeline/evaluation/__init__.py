"""Figures out: what a trained head is worth on one split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.answers import Classifier, uncalibrated_answers
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks, record_look
from pipeline.evaluation.metrics import Figures, measure
from pipeline.evaluation.remarks import remarks
from pipeline.evaluation.seen import SeenRows
from pipeline.evaluation.temperature import Calibration
from pipeline.images.row_table import RowTable
from pipeline.run_files import runs_of
from pipeline.spec import FeatureSpec

__all__ = ["Calibration", "Classifier", "Figures", "Looks", "Report", "evaluate", "measure"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """What came out of evaluating one head on one split.

    Attributes:
        head: Name of the head.
        dataset: Name of the data set.
        split: ``train``, ``val`` or ``test``.
        spec: What determined the features.
        figures: All figures.
        probabilities: float (n, k), the head's answer to each row, unlabelled ones included.
        rows: The n rows, without augmented views; labels index into the classes of the head.
        history: Figures by epoch of the head's training.
        run: The run folder of the head.
        notes: Remarks without which the figures would mislead.
        versions: Version of each distribution that took part in the training of the head.
        calibration: The temperature behind the probabilities; None where they are the head's own.
        looks: How often the split was looked at; None for a head that is not saved.
        leaks: What a leak check between the splits found; None where none was made.
        without_leaks: The figures on the rows that neither the head nor its training split has seen; None
            where there are no others, or only others.
        trained_on: Labelled rows that the head was trained on; None where that is not known.
        validated_on: Labelled rows that the head, or its training, was chosen on; None where not known.
    """

    head: str
    dataset: str
    split: str
    spec: FeatureSpec
    figures: Figures
    probabilities: np.ndarray
    rows: RowTable
    history: dict[str, list[float]]
    run: Path
    notes: tuple[str, ...]
    versions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    looks: Looks | None = None
    leaks: Leaks | None = None
    without_leaks: Figures | None = None
    trained_on: int | None = None
    validated_on: int | None = None

    @property
    def folder(self) -> Path:
        """Where the files of this report belong: a folder named after the split, inside the run."""
        return self.run / self.split

    @property
    def subject(self) -> str:
        """What was evaluated, in words."""
        return f"{self.head} on {self.dataset}, {self.split} split"

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --json`` prints."""
        record = {
            "head": self.head,
            "split": self.split,
            "n": self.figures.n,
            "accuracy": self.figures.accuracy,
            "accuracy_ci": list(self.figures.accuracy_ci),
            "macro_f1": self.figures.macro_f1,
            "log_loss": self.figures.log_loss,
            "run": str(self.run),
            "trained_on": self.trained_on,
            "validated_on": self.validated_on,
            "temperature": None,
            "unlabelled": self.figures.unlabelled,
            "majority_class": self.figures.majority.name,
            "majority_accuracy": self.figures.majority_accuracy,
            "classes_not_found": [one.name for one in self.figures.not_found],
            "notes": list(self.notes),
        }
        if self.calibration is not None:
            record["temperature"] = self.calibration.temperature
            record["calibration"] = self.calibration.to_json(self.figures)
        if self.leaks is not None:
            record["leaks"] = self.leaks.counts
        if self.without_leaks is not None:
            record["without_leaks"] = {
                "n": self.without_leaks.n,
                "accuracy": self.without_leaks.accuracy,
                "accuracy_ci": list(self.without_leaks.accuracy_ci),
            }
        return record

    def write(self, folder: Path | None = None, *, page: Callable[[Path], object] | None = None) -> Path:
        """Writes metrics.json, predictions.csv and the pictures, replacing an older report.

        Args:
            folder: Where to; :attr:`folder` unless given.
            page: Writes a page about this report to the path it is given; None = no page.

        Returns:
            The folder that now holds the files.

        Raises:
            UsageError: Something that is not a report stands there.
            PipelineError: The folder cannot be written.
        """
        from pipeline.evaluation.files import write_files

        target = self.folder if folder is None else folder
        write_files(self, target, root=runs_of(self.run) if folder is None else None, page=page)
        return target


def evaluate(
    head: Classifier,
    features: FeatureSet,
    *,
    leaks: Leaks | None = None,
) -> Report:
    """Measures a trained head on one split, at its temperature if it has one, and counts that it was done.

    Augmented views are left out: they would count one image several times.

    Args:
        head: The trained head; it refuses features of another spec.
        features: The split. Its labels are translated by class name where its classes are not those of
            the head.
        leaks: What a check of this split against the others found; figures without the leaking rows are
            given beside those of all.

    Raises:
        CacheMismatchError: The head does not know a class of the split, or the features' spec.
        UsageError: No row has a label.
        PipelineError: The head's answers are no probabilities, or the evaluation cannot be counted.
    """
    rows, own = uncalibrated_answers(head, features)
    groups = _groups(rows)
    figures = measure(rows.labels, own, head.classes, groups=groups)
    probabilities, calibration = own, None
    if (temperature := head.temperature) is not None:
        probabilities, interval = temperature.apply(own, head.known), (temperature.low, temperature.high)
        calibration = Calibration(
            temperature=temperature.value, rows=temperature.rows, before=figures, interval=interval
        )
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
            calibrated=temperature is not None,
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
    return np.array([f"group {name}" if name else f"row {i}" for i, name in enumerate(rows.groups)])
