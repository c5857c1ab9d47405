"""Yardsticks: how heads of one kind are measured, ranked and told apart, and which columns say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation import evaluate
from pipeline.evaluation.head_report import HeadReport
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.paired_tests import Difference, PairedDifference, holm, mcnemar
from pipeline.evaluation.report import Report
from pipeline.heads import TrainedHead

R = TypeVar("R", bound=HeadReport)


class Yardstick(Protocol[R]):
    """Compares heads of one kind.

    Attributes:
        figure: What heads are ranked by, in words.
        against: Name of the column in a terminal with the difference to the best.
        difference: The dataclass of a difference; its fields are columns of comparison.csv.
    """

    figure: ClassVar[str]
    against: ClassVar[str]
    difference: ClassVar[type]

    @property
    def heading(self) -> tuple[str, ...]:
        """Names of the columns in a terminal that :meth:`cells` fills."""

    @property
    def test(self) -> str:
        """What the test of a difference is, in a few words for readers."""

    def measure(
        self, head: TrainedHead, features: FeatureSet, *, val: FeatureSet | None, leaks: Leaks | None
    ) -> R:
        """Measures a head; see ``pipeline.evaluation.evaluate`` and ``evaluate_targets``."""
        ...

    def place(self, report: R) -> tuple[Any, ...]:
        """Returns what reports are sorted by, the best first."""
        ...

    def differences(self, best: R, others: Sequence[R]) -> Sequence[PairedDifference]:
        """Tests each of the others against the best one, corrected for their number."""
        ...

    def figures(self, report: R) -> dict[str, Any]:
        """Returns the figures of a head, by their columns in comparison.csv."""
        ...

    def cells(self, report: R) -> tuple[str, ...]:
        """Returns the figures of a head as cells in a terminal."""
        ...

    def remarks(self, report: R) -> list[str]:
        """Returns what stands below the name of a head in a terminal."""
        ...

    def shared(self, reports: Sequence[R]) -> dict[str, Any]:
        """Returns what comparison.json says of the rows, besides the heads."""
        ...


class ByAccuracy:
    """Heads of classes: the most often right first, and McNemar's exact test."""

    figure: ClassVar = "accuracy"
    against: ClassVar = "+/-"
    difference: ClassVar[type] = Difference
    heading = ("accuracy", "95% interval", "log-loss", "ECE")
    test = (
        "+/-: rows that only this head, and only the first head, has right. "
        "p: exact McNemar test of the two, corrected for the number of heads (Holm)."
    )

    def measure(
        self, head: TrainedHead, features: FeatureSet, *, val: FeatureSet | None, leaks: Leaks | None
    ) -> Report:
        """Measures a head; val tells nothing here."""
        return evaluate(head, features, leaks=leaks)

    def place(self, report: Report) -> tuple[Any, ...]:
        """Sorts by accuracy; of equal ones the one with the lower log-loss is first."""
        return (-report.figures.accuracy, report.figures.log_loss, report.head)

    def differences(self, best: Report, others: Sequence[Report]) -> list[Difference]:
        """Counts the rows that only one of two has right."""
        right = _hits(best)
        counts = [(int(np.sum(right & ~hits)), int(np.sum(hits & ~right))) for hits in map(_hits, others)]
        p_values = [mcnemar(*pair) for pair in counts]
        return [
            Difference(*pair, p, corrected)
            for pair, p, corrected in zip(counts, p_values, holm(p_values), strict=True)
        ]

    def figures(self, report: Report) -> dict[str, Any]:
        """Returns the figures of a head, its temperature before them."""
        figures = report.figures
        low, high = figures.accuracy_ci
        return {
            "temperature": report.calibration.temperature.value if report.calibration else None,
            "accuracy": figures.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "balanced_accuracy": figures.balanced_accuracy,
            "macro_f1": figures.macro_f1,
            "mcc": figures.mcc,
            "roc_auc": figures.roc_auc,
            "log_loss": figures.log_loss,
            "ece": figures.ece,
        }

    def cells(self, report: Report) -> tuple[str, ...]:
        """Returns accuracy, its interval, log-loss and calibration error."""
        figures = report.figures
        low, high = figures.accuracy_ci
        return (
            f"{figures.accuracy:.2%}",
            f"{low:.1%} to {high:.1%}",
            f"{figures.log_loss:.4f}",
            f"{figures.ece:.4f}",
        )

    def remarks(self, report: Report) -> list[str]:
        """Returns the temperature."""
        return [] if report.calibration is None else [f"T {report.calibration.temperature.value:.3f}"]

    def shared(self, reports: Sequence[Report]) -> dict[str, Any]:
        """Returns how many rows have no label, the largest class, and the classes that were not found."""
        figures = reports[0].figures
        return {
            "unlabelled": figures.unlabelled,
            "majority_class": figures.majority.name,
            "majority_accuracy": figures.majority_accuracy,
            "classes_not_found": {
                report.head: [one.name for one in report.figures.not_found] for report in reports
            },
        }


def _hits(report: Report) -> np.ndarray:
    return (report.probabilities.argmax(axis=1) == report.rows.labels)[report.rows.labels >= 0]
