"""What cross-validation comes to where images have one class each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TextIO

import numpy as np

from pipeline.answers import write_answers
from pipeline.evaluation import Figures, measure
from pipeline.evaluation.fold_interval import SOURCE, fold_interval
from pipeline.evaluation.report import TOP
from pipeline.sweeps.fold_answers import FoldAnswers
from pipeline.wording import readable


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossValidation(FoldAnswers):
    """Figures of classes; ``answers`` are the probabilities of these."""

    figure_name = "accuracy"
    of_folds = "of each fold, in %"
    source = SOURCE

    @property
    def probabilities(self) -> np.ndarray:
        """The answer to each image in each repeat, float64 (repeats, n, k)."""
        return self.answers

    @cached_property
    def figures(self) -> tuple[Figures, ...]:
        """Those of each repeat."""
        classes, groups = self.features.classes, self.groups
        return tuple(measure(self.rows.labels, one, classes, groups=groups) for one in self.answers)

    @cached_property
    def by_fold(self) -> np.ndarray:
        """Accuracy of each fold, float (repeats, folds)."""
        hits = self.answers.argmax(axis=2) == self.rows.labels
        return np.array(
            [
                [right[number == one].mean() for one in range(self.folds)]
                for right, number in zip(hits, self.fold, strict=True)
            ]
        )

    @property
    def by_repeat(self) -> list[float | None]:
        """Share of right answers in each repeat."""
        return [one.accuracy for one in self.figures]

    @property
    def accuracy(self) -> float:
        """Share of right answers, mean over the repeats."""
        return self.mean("accuracy")

    @property
    def accuracy_ci(self) -> tuple[float, float]:
        """Lower and upper end of its 95 % interval, see :func:`fold_interval`."""
        return fold_interval(self.by_fold, self.accuracy, len(np.unique(self.groups)))

    def mean(self, figure: str) -> float:
        """Returns the mean of a figure over the repeats."""
        return float(np.mean([getattr(one, figure) for one in self.figures]))

    @property
    def lines(self) -> dict[str, str]:
        """The figures in words, by their names."""
        low, high = self.accuracy_ci
        first = self.figures[0]
        return {
            "accuracy": f"{self.accuracy:.2%}  (95% interval {low:.2%} to {high:.2%})",
            "majority class": f"{first.majority_accuracy:.2%}  (always {readable(first.majority.name)})",
            "balanced accuracy": f"{self.mean('balanced_accuracy'):.2%}",
            "macro F1": f"{self.mean('macro_f1'):.4f}",
            "log-loss": f"{self.mean('log_loss'):.4f}",
        }

    def spelt(self, value: float) -> str:
        """Writes an accuracy."""
        return f"{value:.2%}"

    def spelt_of_fold(self, value: float) -> str:
        """Writes the accuracy of a fold, in percent."""
        return f"{100 * value:.1f}"

    def figures_to_json(self) -> dict[str, Any]:
        """Returns the means of the figures over the repeats, by their keys."""
        first = self.figures[0]
        return {
            "accuracy": self.accuracy,
            "accuracy_ci": list(self.accuracy_ci),
            "balanced_accuracy": self.mean("balanced_accuracy"),
            "macro_f1": self.mean("macro_f1"),
            "log_loss": self.mean("log_loss"),
            "majority_class": first.majority.name,
            "majority_accuracy": first.majority_accuracy,
        }

    def write_predictions(self, file: TextIO) -> None:
        """Writes the mean answer to each image as CSV."""
        write_answers(
            file,
            self.features.classes,
            self.rows.ids,
            self.answers.mean(axis=0),
            labels=self.rows.labels.tolist(),
            top=TOP,
        )
