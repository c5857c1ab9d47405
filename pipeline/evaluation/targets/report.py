"""What came out of evaluating a head of labels or numbers, and the files that say so."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.evaluation.files import METRICS, PAGE, replacing, software, write_json
from pipeline.evaluation.head_report import BesideHead
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks
from pipeline.evaluation.plots import save_png
from pipeline.evaluation.targets.answer_table import answer_columns, write_columns
from pipeline.evaluation.targets.figure_words import Lines, baseline_lines, table_of
from pipeline.evaluation.targets.label_figures import LabelsFigures
from pipeline.evaluation.targets.number_figures import NumbersFigures
from pipeline.evaluation.targets.pictures import (
    PRECISION_RECALL,
    PREDICTED,
    RESIDUALS,
    draw_precision_recall,
    draw_predicted,
    draw_residuals,
)
from pipeline.files import written
from pipeline.heads import TrainedHead
from pipeline.heads._core.target_figures import figure_text
from pipeline.images.row_table import RowTable
from pipeline.notebook import MOST_LINES, facts_html, table_html
from pipeline.plain_json import parse_json
from pipeline.run_files import is_of_a_report, runs_of
from pipeline.runtimes.pandas import import_pandas
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    from pandas import DataFrame

PREDICTIONS = "predictions.csv"
SCALARS = (
    "map",
    "micro_f1",
    "macro_f1",
    "exact_match",
    "hamming_loss",
    "mae",
    "rmse",
    "r2",
    "spearman",
    "median_error",
)
"""Figures over all labels, or over all numbers, as ``--json`` calls them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetReport(BesideHead):
    """What came out of evaluating one head on one split.

    Attributes:
        trained: The head.
        dataset: Name of the data set.
        split: ``train``, ``val`` or ``test``.
        figures: All figures.
        truth: float32 (n, k), NaN where a label or number is unknown.
        answers: float64 (n, k).
        rows: The n rows, without augmented views.
        notes: Remarks without which the figures would mislead.
        looks: How often the split was looked at; None for a head that is not saved.
        leaks: What a leak check between the splits found; None where none was made.
        without_leaks: The figures on the images that neither the head nor its training split has seen; None
            where there are no others, or only others.
        trained_on: Known images that the head was trained on; None where that is not known.
        validated_on: Known images that the head, or its training, was chosen on; None where not known.
    """

    trained: TrainedHead
    dataset: str
    split: str
    figures: LabelsFigures | NumbersFigures
    truth: np.ndarray
    answers: np.ndarray
    rows: RowTable
    notes: tuple[str, ...]
    looks: Looks | None = None
    leaks: Leaks | None = None
    without_leaks: LabelsFigures | NumbersFigures | None = None
    trained_on: int | None = None
    validated_on: int | None = None

    @property
    def head(self) -> str:
        """Name of the head."""
        return self.trained.name

    @property
    def target(self) -> str:
        """The kind of answers."""
        return self.trained.task.target

    @property
    def spec(self) -> FeatureSpec:
        """What determined the features."""
        return self.trained.spec

    @property
    def history(self) -> dict[str, list[float]]:
        """Figures by epoch of the head's training."""
        return self.trained.history

    @property
    def run(self) -> Path | None:
        """The run folder of the head; None where it is not saved."""
        return self.trained.folder

    @property
    def rows_measured(self) -> int:
        """Images that count in the figures."""
        return self.figures.n

    @property
    def scalars(self) -> dict[str, float | None]:
        """The figures over all labels or numbers by name, with the ends of their intervals."""
        record = self.figures.to_json()
        values = {name: record[name] for name in SCALARS if name in record}
        for name, (low, high) in self.figures.intervals.items():
            values |= {f"{name}_low": low, f"{name}_high": high}
        return values

    @property
    def subject(self) -> str:
        """What was evaluated, in words."""
        return f"{self.head} on {self.dataset}, {self.split} split"

    @property
    def lines(self) -> dict[str, str]:
        """The figures in words, by their names."""
        found = {}
        for name, (value, ends) in self.figures.lines.items():
            between = "" if ends is None else f"  ({' to '.join(figure_text(name, end) for end in ends)})"
            found[name] = f"{figure_text(name, value)}{between}"
        return found | {"images": f"{self.figures.n:,}"} | self.baseline

    @property
    def baseline(self) -> dict[str, str]:
        """What knowing nothing of an image gives, in words, by what is answered."""
        return baseline_lines(self.figures.to_json()["baseline"])

    @property
    def table(self) -> Lines:
        """A line for each label or number: the names of its columns, and its cells."""
        return table_of(self.figures)

    def hardest(self, most: int) -> list[tuple[str, ...]]:
        """Returns lines of the table: all, or of many those with the lowest AP, or R2, in their order."""
        columns, lines = self.table
        if len(lines) <= most:
            return lines
        place = columns.index("AP" if isinstance(self.figures, LabelsFigures) else "R2")
        worst = sorted(range(len(lines)), key=lambda i: (not lines[i][place], float(lines[i][place] or 0)))
        return [lines[i] for i in sorted(worst[:most])]

    def _repr_html_(self) -> str:
        """Shows in a notebook the notes, the figures, and a line for each label or number."""
        columns, _ = self.table
        looks = () if self.looks is None else (self.looks.line,)
        return facts_html(self.subject, self.lines, [*self.notes, *looks]) + table_html(
            columns, self.hardest(MOST_LINES)
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --json`` prints."""
        record = {
            "head": self.head,
            "split": self.split,
            "target": self.target,
            **self.figures.to_json(),
            "run": str(self.run),
            "trained_on": self.trained_on,
            "validated_on": self.validated_on,
            "notes": list(self.notes),
        }
        if self.leaks is not None:
            record["leaks"] = self.leaks.counts
        if self.without_leaks is not None:
            record["without_leaks"] = self.without_leaks.to_json()
        return record

    def to_frame(self) -> DataFrame:
        """Returns a pandas table, a row an image: ``id``, and what :attr:`columns` has.

        Raises:
            UsageError: pandas is not installed.
        """
        return import_pandas().DataFrame({"id": list(self.rows.ids), **self.columns})

    @property
    def decisions(self) -> np.ndarray:
        """Whether each label is answered, bool (n, k)."""
        return np.asarray(self.answers >= self.trained.answered_from)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Columns for each label or number, float (n,) each, NaN where the truth is unknown.

        They are ``true(NAME)``, ``predicted(NAME)`` and, of a label, whose prediction is 1 or 0, ``p(NAME)``.
        """
        decisions = self.decisions if isinstance(self.figures, LabelsFigures) else None
        return answer_columns(self.trained.classes, self.truth, self.answers, decisions)

    def write(self, folder: Path | None = None, *, page: Callable[[Path], object] | None = None) -> Path:
        """Writes metrics.json, predictions.csv and the pictures, replacing an older report.

        They are there all together, or not at all.

        Args:
            folder: Where to; :attr:`folder` unless given.
            page: Writes a page about this report to the path it is given, beside the pictures; None = no
                page.

        Returns:
            The folder that now holds the files.

        Raises:
            UsageError: Something that is not a report stands there, or the head is not saved.
            PipelineError: The folder cannot be written.
        """
        target = self.folder if folder is None else folder
        root = runs_of(target.parent) if folder is None else target.parent
        with replacing(target, METRICS, known=is_of_a_report, root=root) as fresh:
            record = self.to_json() | {
                "dataset": self.dataset,
                "classes": self.trained.classes,
                "looks": self.looks.to_json() if self.looks else None,
                "spec": parse_json(self.spec.to_json()),
                "software": software(self.trained.versions),
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_json(record, fresh / METRICS)
            self._write_predictions(fresh / PREDICTIONS)
            self._draw(fresh)
            if page is not None:
                page(fresh / PAGE)
        return target

    def _draw(self, folder: Path) -> None:
        drawings = {PREDICTED: draw_predicted, RESIDUALS: draw_residuals}
        if isinstance(self.figures, LabelsFigures):
            drawings = {PRECISION_RECALL: draw_precision_recall}
        for name, draw in drawings.items():
            picture = draw(self.truth, self.answers, self.trained.classes, subject=self.subject)
            save_png(picture, folder / name)

    def _write_predictions(self, path: Path) -> None:
        """Writes truth and answer of each image; what is unknown is empty."""
        text = io.StringIO()
        write_columns(text, self.rows.ids, self.columns, marks=isinstance(self.figures, LabelsFigures))
        with written(path, root=path.parent, known=is_of_a_report) as file:
            file.write(text.getvalue().encode(errors="backslashreplace"))
