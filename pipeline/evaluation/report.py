"""What came out of evaluating a head on one split, and the files that say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.answers import write_answers
from pipeline.evaluation import plots
from pipeline.evaluation.calibrating import TemperatureEffect
from pipeline.evaluation.figure_lines import figure_lines
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.files import METRICS, PAGE, replacing, software, write_json
from pipeline.evaluation.head_report import BesideHead
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks
from pipeline.images import UNLABELLED
from pipeline.images.row_table import RowTable
from pipeline.images.targets import CLASS
from pipeline.notebook import MOST_LINES, facts_html, table_html
from pipeline.plain_json import parse_json
from pipeline.run_files import is_of_a_report, runs_of
from pipeline.runtimes.pandas import import_pandas
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    from pandas import DataFrame

PREDICTIONS = "predictions.csv"
CONFUSION, CURVES, RELIABILITY = "confusion_matrix.png", "curves.png", "reliability.png"
SCALARS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "mcc",
    "kappa",
    "log_loss",
    "brier",
    "roc_auc",
    "average_precision",
    "ece",
)
MOST_CLASSES = 1000
TOP = 5
"""Classes that predictions.csv names where there are too many for columns."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Report(BesideHead):
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
        run: The run folder of the head; None where it is not saved.
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
    run: Path | None
    notes: tuple[str, ...]
    versions: dict[str, str] = field(default_factory=dict)
    calibration: TemperatureEffect | None = None
    looks: Looks | None = None
    leaks: Leaks | None = None
    without_leaks: Figures | None = None
    trained_on: int | None = None
    validated_on: int | None = None

    @property
    def target(self) -> str:
        """The kind of answers."""
        return CLASS

    @property
    def rows_measured(self) -> int:
        """Rows that count in the figures."""
        return self.figures.n

    @property
    def scalars(self) -> dict[str, float | None]:
        """The figures over all classes by name, with the ends of their intervals, and the temperature."""
        figures, accuracy = self.figures, {"accuracy": self.figures.accuracy_ci}
        values: dict[str, float | None] = {name: getattr(figures, name) for name in SCALARS}
        values |= {f"top_{k}": share for k, share in figures.top_k.items()}
        for name, (low, high) in (accuracy | figures.intervals | accuracy).items():
            values |= {f"{name}_low": low, f"{name}_high": high}
        if self.calibration is not None:
            values["temperature"] = self.calibration.temperature.value
        return values

    @property
    def subject(self) -> str:
        """What was evaluated, in words."""
        return f"{self.head} on {self.dataset}, {self.split} split"

    def _repr_html_(self) -> str:
        """Shows in a notebook the notes, the figures, and a line for each class."""
        per_class = [
            (one.name, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", one.support)
            for one in self.figures.worst(MOST_LINES)
        ]
        looks = () if self.looks is None else (self.looks.line,)
        return facts_html(self.subject, figure_lines(self.figures), [*self.notes, *looks]) + table_html(
            ("class", "precision", "recall", "F1", "rows"), per_class
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --json`` prints."""
        record: dict[str, Any] = {
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
            record["temperature"] = self.calibration.temperature.value
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

    def to_frame(self) -> DataFrame:
        """Returns a pandas table, a row an image: ``id, label, predicted, right`` and each ``p(<class>)``.

        ``label`` and ``right`` are missing where an image has no label.

        Raises:
            UsageError: pandas is not installed.
        """
        pandas = import_pandas()
        classes, labels = self.figures.classes, self.rows.labels.tolist()
        predicted = self.probabilities.argmax(axis=1).tolist()
        known = [label != UNLABELLED for label in labels]
        names = [classes[label] if there else None for label, there in zip(labels, known, strict=True)]
        right = [
            label == best if there else None
            for label, best, there in zip(labels, predicted, known, strict=True)
        ]
        table = {
            "id": list(self.rows.ids),
            "label": names,
            "predicted": [classes[best] for best in predicted],
            "right": pandas.array(right, dtype="boolean"),
        }
        table |= {f"p({name})": self.probabilities[:, i] for i, name in enumerate(classes)}
        return pandas.DataFrame(table)

    def write(self, folder: Path | None = None, *, page: Callable[[Path], object] | None = None) -> Path:
        """Writes metrics.json, predictions.csv and the pictures, replacing an older report.

        They are there all together, or not at all.

        Args:
            folder: Where to; :attr:`folder` unless given.
            page: Writes a page about this report to the path it is given; None = no page.

        Returns:
            The folder that now holds the files.

        Raises:
            UsageError: Something that is not a report stands there, or the head is not saved.
            PipelineError: The folder cannot be written.
        """
        target = self.folder if folder is None else folder
        root = runs_of(target.parent) if folder is None else target.parent
        with replacing(target, METRICS, known=is_of_a_report, root=root) as fresh:
            self._write_metrics(fresh / METRICS)
            self._write_predictions(fresh / PREDICTIONS)
            self._draw(fresh)
            if page is not None:
                page(fresh / PAGE)
        return target

    def _write_metrics(self, path: Path) -> None:
        """Writes every figure, and all one needs to know where it comes from, as JSON with a line a key.

        Of more than a thousand classes the confusion matrix is nearly all zeros and null in the file; what is
        not zero is listed as ``confusion_pairs``: number of the true class, of the predicted class, and rows.
        """
        figures = asdict(self.figures)
        pairs = figures.pop("pairs")
        small = len(self.figures.per_class) <= MOST_CLASSES
        record = self.to_json() | {
            "dataset": self.dataset,
            "notes": self.notes,
            **figures,
            "classes": self.figures.classes,
            "confusion_matrix": self.figures.confusion if small else None,
            **({} if small else {"confusion_pairs": pairs}),
            "looks": self.looks.to_json() if self.looks else None,
            "spec": parse_json(self.spec.to_json()),
            "software": software(self.versions),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(record, path)

    def _write_predictions(self, path: Path) -> None:
        r"""Writes the answer to each image; bytes of its name that are no UTF-8 are written as ``\udcXX``."""
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            labels = self.rows.labels.tolist()
            write_answers(
                file, self.figures.classes, self.rows.ids, self.probabilities, labels=labels, top=TOP
            )

    def _draw(self, folder: Path) -> None:
        matrix = plots.draw_confusion_matrix(self.figures, subject=self.subject)
        plots.save_png(matrix, folder / CONFUSION)
        before = self.calibration.before if self.calibration else None
        bins = plots.draw_reliability(self.figures, before=before, subject=self.subject)
        plots.save_png(bins, folder / RELIABILITY)
        if plots.has_curves(self.history):
            curves = plots.draw_curves(self.history, subject=f"training of {self.head}")
            plots.save_png(curves, folder / CURVES)
