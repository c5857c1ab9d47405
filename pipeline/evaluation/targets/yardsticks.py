"""How heads of labels, and of numbers, are ranked and told apart: by one figure and its paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.paired_tests import FigureDifference, bootstrap_p, holm
from pipeline.evaluation.resampling import ROUNDING
from pipeline.evaluation.targets.evaluating import evaluate_targets, group_numbers
from pipeline.evaluation.targets.part_figures import ranking
from pipeline.evaluation.targets.report import TargetReport
from pipeline.evaluation.targets.resamples import TESTED, percentile_interval, resampled
from pipeline.heads import TrainedHead


class _ByFigure:
    """What both kinds share: the figure of heads on the same resamples of the images.

    Attributes:
        measured: Key of the figure in ``HeadReport.scalars``.
        short: What it is called in a narrow column.
        columns: Figures in comparison.csv, after the first one and its interval.
        shown: Figures in a terminal after those: key, heading and format.
    """

    measured: ClassVar[str]
    short: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    shown: ClassVar[tuple[tuple[str, str, str], ...]]
    against: ClassVar = "difference"
    difference: ClassVar[type] = FigureDifference

    @property
    def test(self) -> str:
        """What the test is, in a few words."""
        return (
            f"difference: {self.short} of this head less that of the first. p: paired bootstrap of it "
            f"over images, or whole groups of them ({TESTED:,} resamples), corrected for the number of heads "
            "(Holm)."
        )

    @property
    def heading(self) -> tuple[str, ...]:
        """Columns in a terminal."""
        return (self.short, "95% interval", *(name for _, name, _ in self.shown))

    def measure(
        self, head: TrainedHead, features: FeatureSet, *, val: FeatureSet | None, leaks: Leaks | None
    ) -> TargetReport:
        """Measures a head."""
        return evaluate_targets(head, features, val=val, leaks=leaks)

    def place(self, report: TargetReport) -> tuple[Any, ...]:
        """Sorts by the figure; heads without one come last."""
        value = report.scalars.get(self.measured)
        return (value is None, 0.0 if value is None else -value, report.head)

    def differences(self, best: TargetReport, others: Sequence[TargetReport]) -> list[FigureDifference]:
        """Tests each head on the same resamples.

        Where there are fewer than ten images or groups, or none that tells the figure, p is 1.
        """
        known = ~np.isnan(best.truth).all(axis=1)
        groups = group_numbers(best.rows)
        drawn = resampled(
            [ranking(best.target, one.truth[known], one.answers[known]) for one in (best, *others)],
            int(known.sum()),
            None if groups is None else groups[known],
            resamples=TESTED,
            title=f"paired tests of {self.measured}",
        )
        first, *rest = (one.get(self.measured, np.empty(0)) for one in drawn)
        apart = [_settled(other - first) for other in rest]
        p_values = [bootstrap_p(one) for one in apart]
        return [
            FigureDifference(self._difference(best, other), *_ends(one), p, corrected)
            for other, one, p, corrected in zip(others, apart, p_values, holm(p_values), strict=True)
        ]

    def figures(self, report: TargetReport) -> dict[str, Any]:
        """Returns the figures of a head, that of the ranking first."""
        scalars = report.scalars
        ends = (f"{self.measured}{end}" for end in ("", "_low", "_high"))
        return {name: scalars.get(name) for name in (*ends, *self.columns)}

    def cells(self, report: TargetReport) -> tuple[str, ...]:
        """Returns the figure, its interval and some others."""
        scalars = report.scalars
        value, low, high = (scalars.get(f"{self.measured}{end}") for end in ("", "_low", "_high"))
        return (
            "-" if value is None else f"{value:.4f}",
            "" if low is None or high is None else f"{low:.3f} to {high:.3f}",
            *("-" if (one := scalars.get(key)) is None else f"{one:{form}}" for key, _, form in self.shown),
        )

    def remarks(self, report: TargetReport) -> list[str]:
        """Returns nothing: no head of these kinds is special."""
        return []

    def shared(self, reports: Sequence[TargetReport]) -> dict[str, Any]:
        """Returns what the images have, of how many nothing is known, and what knowing nothing answers."""
        best = reports[0]
        record = best.figures.to_json()
        return {
            "target": best.target,
            "ranked_by": self.measured,
            "unknown": record["unknown"],
            "baseline": record["baseline"],
        }

    def _difference(self, best: TargetReport, other: TargetReport) -> float | None:
        first, second = (report.scalars.get(self.measured) for report in (best, other))
        return None if first is None or second is None else second - first


class ByMap(_ByFigure):
    """Heads of several labels: the highest mean average precision first."""

    figure: ClassVar = "mean average precision"
    measured: ClassVar = "map"
    short: ClassVar = "mAP"
    columns: ClassVar = ("micro_f1", "macro_f1", "exact_match", "hamming_loss")
    shown: ClassVar = (("micro_f1", "micro F1", ".4f"), ("exact_match", "exact", ".1%"))


class ByR2(_ByFigure):
    """Heads of numbers: the highest R2 first."""

    figure: ClassVar = "R2"
    measured: ClassVar = "r2"
    short: ClassVar = "R2"
    columns: ClassVar = ("mae", "rmse", "spearman", "median_error")
    shown: ClassVar = (("mae", "MAE", ".4g"),)


def _settled(apart: np.ndarray) -> np.ndarray:
    """Returns differences, float (b,), without those that are not defined; what is only rounding is 0."""
    apart = apart[~np.isnan(apart)]
    return np.where(np.abs(apart) <= ROUNDING, 0.0, apart)


def _ends(drawn: np.ndarray) -> tuple[float | None, float | None]:
    return percentile_interval(drawn) or (None, None)
