"""Figures of numbers; a number that is unknown of an image counts in none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.targets.prediction_interval import COVERAGE, PredictionInterval, prediction_interval
from pipeline.evaluation.targets.resamples import Figure, intervals
from pipeline.evaluation.targets.weighted_numbers import WeightedNumber
from pipeline.wording import counted

TRAINING, MEASURED = "mean of the training images", "mean of these images"
"""What the baseline always answers."""
NAMES = {"mae": "MAE", "rmse": "RMSE", "r2": "R2", "spearman": "Spearman"}
"""Figures that have an interval, in words."""


@dataclass(frozen=True)
class NumberFigures:
    """How one number fares.

    Attributes:
        name: The number.
        rows: Images of which it is known.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: Share of the variance that is explained; below 0 where the mean would do better; None where all
            values are alike.
        spearman: Correlation of the ranks of truth and answer; None where either is constant.
        median_error: Median absolute error.
        baseline_mae: MAE of always answering one and the same mean.
        baseline_rmse: RMSE of that.
        baseline_r2: R2 of that; None where all values are alike.
        prediction_interval: What holds most true values; None without val.
        intervals: Ends of the 95 % bootstrap interval of ``mae``, ``rmse``, ``r2`` and ``spearman``.
    """

    name: str
    rows: int
    mae: float
    rmse: float
    r2: float | None
    spearman: float | None
    median_error: float
    baseline_mae: float
    baseline_rmse: float
    baseline_r2: float | None
    prediction_interval: PredictionInterval | None
    intervals: dict[str, tuple[float, float]]


@dataclass(frozen=True, eq=False, kw_only=True)
class NumbersFigures:
    """All figures of numbers; those over several are means.

    Attributes:
        n: Images of which at least one number is known.
        unknown: Images of which none is, left out.
        baseline_of: What the baseline always answers: ``TRAINING``, or ``MEASURED`` where the head does not
            know the former.
        intervals: Ends of the 95 % bootstrap interval of the means.
        per_number: The figures of each number; those without a known value are left out.
    """

    n: int
    unknown: int
    baseline_of: str
    intervals: dict[str, tuple[float, float]]
    per_number: tuple[NumberFigures, ...]

    def mean(self, name: str) -> float | None:
        """Returns the mean of a figure over the numbers for which it is defined; None where for none."""
        values = [value for one in self.per_number if (value := getattr(one, name)) is not None]
        return float(np.mean(values)) if values else None

    @property
    def lines(self) -> dict[str, tuple[float, tuple[float, float] | None]]:
        """The figures over all numbers with their intervals, by their names for people."""
        means = {name: self.mean(name) for name in NAMES}
        return {
            NAMES[name]: (value, self.intervals.get(name))
            for name, value in means.items()
            if value is not None
        }

    def to_json(self) -> dict[str, Any]:
        """Returns the keys of the object that ``pipeline evaluate --json`` prints."""
        return {
            "n": self.n,
            "unknown": self.unknown,
            **{name: self.mean(name) for name in (*NAMES, "median_error")},
            "baseline": {
                "answer": self.baseline_of,
                **{name: self.mean(f"baseline_{name}") for name in ("mae", "rmse", "r2")},
            },
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "prediction_interval": self._interval,
            "per_number": [asdict(number) for number in self.per_number],
        }

    @property
    def _interval(self) -> dict[str, float | None] | None:
        there = [one.prediction_interval for one in self.per_number if one.prediction_interval is not None]
        if not there:
            return None
        covered = [one.covered for one in there if one.covered is not None]
        return {
            "coverage": COVERAGE,
            "half_width": float(np.mean([one.half_width for one in there])),
            "covered": float(np.mean(covered)) if covered else None,
        }


def measure_numbers(
    truth: np.ndarray,
    answers: np.ndarray,
    names: Sequence[str],
    offsets: Sequence[float],
    *,
    residuals: Sequence[np.ndarray] | None = None,
    groups: np.ndarray | None = None,
    held_out: bool = True,
) -> NumbersFigures:
    """Measures answers.

    Args:
        truth: (n, k), NaN where a number is unknown.
        answers: float (n, k).
        names: Of the k numbers.
        offsets: Means of the training images; empty = not known, and the baseline is the mean of these.
        residuals: Of each number, absolute errors on val, float (m,); None without val.
        groups: int (n,), images that belong together; None = each alone.
        held_out: Whether these rows are others than those of val, so that coverage can be measured.

    Raises:
        UsageError: Nothing is known of any image.
    """
    known = ~np.isnan(truth)
    some = known.any(axis=1)
    if not some.any():
        raise UsageError(f"none of the numbers is known of any of {counted(len(truth), 'image')}")
    found, parts = [], []
    for i, name in enumerate(names):
        rows = known[:, i]
        if not rows.any():
            continue
        part = WeightedNumber(truth[rows, i].astype(np.float64), answers[rows, i].astype(np.float64))
        errors = np.abs(part.truth - part.answers)
        within = (
            None if residuals is None else prediction_interval(residuals[i], errors if held_out else None)
        )
        own = intervals(part.figures, len(errors), None if groups is None else groups[rows])
        found.append(_of_number(name, part, offsets[i] if len(offsets) else None, within, own))
        parts.append((part, np.flatnonzero(rows[some])))
    ends = found[0].intervals
    if len(found) > 1:
        ends = intervals(_means(parts), int(some.sum()), None if groups is None else groups[some])
    return NumbersFigures(
        n=int(some.sum()),
        unknown=int((~some).sum()),
        baseline_of=TRAINING if len(offsets) else MEASURED,
        intervals=ends,
        per_number=tuple(found),
    )


def _of_number(
    name: str,
    part: WeightedNumber,
    offset: float | None,
    within: PredictionInterval | None,
    ends: dict[str, tuple[float, float]],
) -> NumberFigures:
    from scipy.stats import spearmanr
    from sklearn.metrics import (
        mean_absolute_error,
        median_absolute_error,
        r2_score,
        root_mean_squared_error,
    )

    truth, answers = part.truth, part.answers
    varies = np.ptp(truth) > 0
    constant = np.full_like(truth, truth.mean() if offset is None else offset)
    return NumberFigures(
        name=name,
        rows=len(truth),
        mae=float(mean_absolute_error(truth, answers)),
        rmse=float(root_mean_squared_error(truth, answers)),
        r2=float(r2_score(truth, answers)) if varies else None,
        spearman=float(spearmanr(truth, answers).statistic) if varies and np.ptp(answers) > 0 else None,
        median_error=float(median_absolute_error(truth, answers)),
        baseline_mae=float(mean_absolute_error(truth, constant)),
        baseline_rmse=float(root_mean_squared_error(truth, constant)),
        baseline_r2=float(r2_score(truth, constant)) if varies else None,
        prediction_interval=within,
        intervals=ends,
    )


def _means(parts: Sequence[tuple[WeightedNumber, np.ndarray]]) -> Figure:
    """Returns what computes the means over the numbers, whose rows are drawn together.

    A figure that no resample can have of a number is not in its mean; a resample that lacks it by chance has
    no mean, for numbers have units, and a mean over fewer of them is another figure.
    """
    whole = [part.figures(np.ones((1, len(rows)))) for part, rows in parts]
    defined = {name: [i for i, one in enumerate(whole) if not np.isnan(one[name]).any()] for name in NAMES}

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = [part.figures(weights[:, rows]) for part, rows in parts]
        return {
            name: np.mean([drawn[i][name] for i in numbers], axis=0)
            for name, numbers in defined.items()
            if numbers
        }

    return figures
