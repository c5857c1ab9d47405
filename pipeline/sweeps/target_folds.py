"""What cross-validation comes to where images have several labels, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TextIO

import numpy as np

from pipeline.evaluation.fold_interval import DRAWN, interval_around
from pipeline.evaluation.targets.answer_table import answer_columns, write_columns
from pipeline.evaluation.targets.label_figures import LabelsFigures, measure_labels
from pipeline.evaluation.targets.number_figures import NumbersFigures, measure_numbers
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS
from pipeline.images.targets import LABELS
from pipeline.sweeps.fold_answers import INNER_FOLDS, FoldAnswers
from pipeline.sweeps.score_interval import Ends, figure_at_once
from pipeline.wording import figure

LOWEST = {"map": 0.0, "r2": -np.inf}
"""Least value that each figure can have; the greatest is 1."""
UNTOLD = ("n", "unknown", "intervals", "prediction_interval")
"""What figures have that says nothing here: all images count, and these intervals know nothing of folds."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetCrossValidation(FoldAnswers):
    """Figures of labels or numbers.

    Attributes:
        thresholds: float (repeats, n, k), the probability from which each label of each image is answered, as
            its fold chose it; (repeats, n, 0) of numbers.
    """

    thresholds: np.ndarray
    of_folds = "of each fold"
    source = DRAWN

    @property
    def figure(self) -> str:
        """Key of the figure that folds are compared by: ``map`` or ``r2``."""
        return FIGURES[self.features.target]

    @property
    def figure_name(self) -> str:
        """What folds are compared by, in words."""
        return IN_WORDS[self.figure]

    @property
    def is_of_labels(self) -> bool:
        """Whether images have labels, not numbers."""
        return self.features.target == LABELS

    @cached_property
    def figures(self) -> tuple[LabelsFigures | NumbersFigures, ...]:
        """Those of each repeat."""
        truth, names, groups = self.rows.targets, self.features.classes, self._groups
        if self.is_of_labels:
            both = zip(self.answers, self.thresholds, strict=True)
            return tuple(measure_labels(truth, one, names, limits, groups) for one, limits in both)
        return tuple(measure_numbers(truth, one, names, (), groups=groups) for one in self.answers)

    @cached_property
    def by_fold(self) -> np.ndarray:
        """The figure of each fold, float (repeats, folds); NaN where it is not defined."""
        return np.array(
            [
                [self._measured(answers, number == one) for one in range(self.folds)]
                for answers, number in zip(self.answers, self.fold, strict=True)
            ]
        )

    @property
    def by_repeat(self) -> list[float | None]:
        """The figure over all images, of each repeat; None where it is not defined."""
        return [one.to_json()[self.figure] for one in self.figures]

    @property
    def value(self) -> float | None:
        """Its mean over the repeats."""
        mean: float | None = mean_of(self.by_repeat)
        return mean

    @property
    def ends(self) -> Ends | None:
        """Lower and upper end of its 95 % interval, see :func:`interval_around`; None without one."""
        if self.value is None:
            return None
        drawn = [one.intervals[self.figure] for one in self.figures if self.figure in one.intervals]
        ends = tuple(np.mean(drawn, axis=0).tolist()) if drawn else None
        return interval_around(self.by_fold, self.value, ends, lowest=LOWEST[self.figure])

    @property
    def means(self) -> dict[str, Any]:
        """The mean of every figure over the repeats, by the keys that ``pipeline evaluate --json`` has."""
        found: dict[str, Any] = mean_of([_told(one.to_json()) for one in self.figures])
        return found

    @property
    def lines(self) -> dict[str, str]:
        """The figures in words, by their names."""
        lines = [one.lines for one in self.figures]
        shown = {}
        for name in lines[0]:
            values = [own[name][0] for own in lines if name in own]
            shown[name] = figure(float(np.mean(values)))
        if self.ends is not None:
            low, high = self.ends
            shown[self.figure_name] += f"  (95% interval {low:.4f} to {high:.4f})"
        return shown | self._baseline

    @property
    def _baseline(self) -> dict[str, str]:
        known = self.means["baseline"]
        if self.is_of_labels:
            share = known["map"]
            return {} if share is None else {"always each label's share": f"{self.figure_name} {share:.4f}"}
        return {f"always the {known['answer']}": f"MAE {figure(known['mae'])}, RMSE {figure(known['rmse'])}"}

    def spelt(self, value: float) -> str:
        """Writes a value of the figure."""
        return f"{value:.4f}"

    def spelt_of_fold(self, value: float) -> str:
        """Writes the value of a fold; ``-`` where it is not defined."""
        return "-" if np.isnan(value) else f"{value:.3f}"

    @property
    def inner_folds(self) -> int | None:
        """In how many folds of a fold thresholds, and options, were chosen; None where nothing was."""
        return INNER_FOLDS if self.is_of_labels else super().inner_folds

    def figures_to_json(self) -> dict[str, Any]:
        """Returns the means of the figures over the repeats, by their keys."""
        ends = None if self.ends is None else list(self.ends)
        first = {"target": self.features.target, self.figure: self.value, f"{self.figure}_ci": ends}
        return first | self.means

    def write_predictions(self, file: TextIO) -> None:
        """Writes the truth and the mean answer of each image as CSV."""
        answers = self.answers.mean(axis=0)
        decisions = answers >= self.thresholds.mean(axis=0) if self.is_of_labels else None
        columns = answer_columns(self.features.classes, self.rows.targets, answers, decisions)
        write_columns(file, self.rows.ids, columns, marks=self.is_of_labels)

    @property
    def _groups(self) -> np.ndarray | None:
        """What is drawn together for intervals; None where each image is drawn alone."""
        return self.groups if len(np.unique(self.groups)) < len(self.groups) else None

    def _measured(self, answers: np.ndarray, rows: np.ndarray) -> float:
        return figure_at_once(self.features.target, self.rows.targets[rows], answers[rows])


def _told(figures: Any) -> Any:
    """Returns figures without what ``UNTOLD`` names."""
    if isinstance(figures, list):
        return [_told(one) for one in figures]
    if isinstance(figures, dict):
        return {name: _told(value) for name, value in figures.items() if name not in UNTOLD}
    return figures


def mean_of(records: Sequence[Any]) -> Any:
    """Returns the mean of numbers, or of each number within records of one form.

    What is None in one of them is None, and what is the same in all, text for example, stays as it is.
    """
    first = records[0]
    if isinstance(first, dict):
        return {key: mean_of([record[key] for record in records]) for key in first}
    if isinstance(first, list | tuple):
        return [mean_of(same) for same in zip(*records, strict=True)]
    if None in records or all(record == first for record in records):
        return first if None not in records else None
    return float(np.mean(records))
