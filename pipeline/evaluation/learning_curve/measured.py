"""What heads came to on the measured rows, by kind of target: figures, and what other rows would have given.

A curve knows errors alone, one minus the figure that heads of a kind are chosen by. Each kind keeps what it
takes to tell the errors of resamples of the measured rows: right answers of classes, and figures of resamples
of labels and numbers, whose answers would need far more room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.learning_curve.figure import AREA, SHARE_OF_RIGHT, VARIANCE, CurveFigure
from pipeline.evaluation.targets.part_figures import mean_of_defined, parts_under
from pipeline.evaluation.targets.resamples import REFLECTED, drawn_weights, reflected
from pipeline.heads import Examples
from pipeline.images.targets import CLASS, LABELS, spans_of

RESAMPLES = 300
FEWEST_OF_PART = 10
"""Measured rows of a class, a label or a number below which nothing is said of it."""


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors at each size.

    Attributes:
        by_draw: float (s, draws).
        resampled: float (b, s), means over draws, of resamples of draws and measured rows.
        of_rows: float (s,), their variance that comes from the measured rows.
    """

    by_draw: np.ndarray
    resampled: np.ndarray
    of_rows: np.ndarray


class Measured(Protocol):
    """What all fits came to. A part is a class, a label or a number, by its place in the names."""

    @property
    def figure(self) -> CurveFigure:
        """What is measured."""

    @property
    def rows(self) -> int:
        """Measured rows."""

    def record(self, size: int, draw: int, answers: np.ndarray) -> None:
        """Takes down the answers of one fit, float (m, k)."""

    def repeat(self, size: int, draw: int) -> None:
        """Says that a draw is the same fit as the first one."""

    @property
    def mean(self) -> np.ndarray:
        """The figure at each size, float (s,)."""

    @property
    def by_draw(self) -> np.ndarray:
        """The figure of each draw, float (s, draws)."""

    def parts(self) -> Sequence[int]:
        """Lists the parts that enough measured rows have."""

    def errors(self, part: int | None) -> Errors:
        """Returns the errors over all parts, or of one."""


def measured_of(asked: Examples, groups: np.ndarray, sizes: int, draws: int) -> Measured:
    """Begins with nothing.

    Args:
        asked: The m measured rows.
        groups: int (m,), what is drawn together.
        sizes: How many sizes there are.
        draws: How many draws of each.

    Raises:
        UsageError: No figure can be told of the rows.
    """
    if asked.source.target == CLASS:
        return MeasuredClasses(asked.labels, groups, np.zeros((sizes, draws, len(asked)), bool))
    kind, names = asked.source.target, asked.source.classes
    figures = np.full((sizes, draws, RESAMPLES + 1, len(names)), np.nan, np.float32)
    made = MeasuredTargets(kind, asked.targets.astype(float), _weights(groups), figures)
    if not made.varied().any():
        raise UsageError(
            f"{asked.source.path}: the {kind if kind == LABELS else 'numbers'} of its measured rows are all "
            f"alike, so there is no {made.figure.words}: measure on a split where they differ"
        )
    return made


@dataclass(eq=False)
class MeasuredClasses:
    """Right answers.

    Attributes:
        labels: int (m,), of the measured rows.
        groups: int (m,), what is drawn together.
        hits: bool (s, draws, m), right answers.
    """

    labels: np.ndarray
    groups: np.ndarray
    hits: np.ndarray

    @property
    def figure(self) -> CurveFigure:
        """Accuracy."""
        return SHARE_OF_RIGHT

    @property
    def rows(self) -> int:
        """Measured rows."""
        return len(self.labels)

    def record(self, size: int, draw: int, answers: np.ndarray) -> None:
        """Takes down which answers are right."""
        self.hits[size, draw] = answers.argmax(axis=1) == self.labels

    def repeat(self, size: int, draw: int) -> None:
        """Says that a draw is the same fit as the first one."""
        self.hits[size, draw] = self.hits[size, 0]

    @property
    def mean(self) -> np.ndarray:
        """Accuracy at each size, float (s,)."""
        return self.hits.mean(axis=(1, 2))

    @property
    def by_draw(self) -> np.ndarray:
        """Accuracy of each draw, float (s, draws)."""
        return self.hits.mean(axis=2)

    def parts(self) -> Sequence[int]:
        """Lists the classes of ten measured rows."""
        found: list[int] = np.flatnonzero(np.bincount(self.labels) >= FEWEST_OF_PART).tolist()
        return found

    def errors(self, part: int | None) -> Errors:
        """Returns the errors on all rows, or on those of a class: one minus its recall."""
        mask = np.ones(len(self.labels), bool) if part is None else self.labels == part
        by_draw = 1 - self.hits[:, :, mask].mean(axis=2)
        mean, measured = by_draw.mean(axis=1), mask.sum()
        of_rows = np.maximum(mean * (1 - mean), 1 / (measured + 2)) / measured
        return Errors(by_draw, self._resampled(mask), of_rows)

    def _resampled(self, mask: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(0)
        wrong = (~self.hits[:, :, mask]).astype(np.float32)
        units = np.unique(self.groups[mask], return_inverse=True)[1]
        count, draws = int(units.max()) + 1, wrong.shape[1]
        found = np.empty((RESAMPLES, len(wrong)))
        for b in range(RESAMPLES):
            times = np.bincount(random.integers(0, count, count), minlength=count)[units].astype(np.float32)
            some = random.integers(0, draws, draws)
            found[b] = (wrong @ (times / times.sum()))[:, some].mean(axis=1)
        return found


@dataclass(eq=False)
class MeasuredTargets:
    """Figures of each label or number under the weights of resamples.

    Attributes:
        kind: ``LABELS`` or ``NUMBER``.
        truth: float64 (m, k), NaN where one is unknown.
        weights: float (RESAMPLES + 1, m), how often a row counts in each resample; once in the first.
        figures: float32 (s, draws, RESAMPLES + 1, k); NaN where one is not defined.
    """

    kind: str
    truth: np.ndarray
    weights: np.ndarray
    figures: np.ndarray

    @property
    def _known(self) -> np.ndarray:
        return ~np.isnan(self.truth)

    @property
    def figure(self) -> CurveFigure:
        """What heads of the kind are chosen by."""
        return AREA if self.kind == LABELS else VARIANCE

    @property
    def rows(self) -> int:
        """Measured rows."""
        return len(self.truth)

    def record(self, size: int, draw: int, answers: np.ndarray) -> None:
        """Takes down the figure of each label or number."""
        self.figures[size, draw] = parts_under(self.kind, self.truth, answers)(self.weights)

    def repeat(self, size: int, draw: int) -> None:
        """Says that a draw is the same fit as the first one."""
        self.figures[size, draw] = self.figures[size, 0]

    @property
    def mean(self) -> np.ndarray:
        """The figure at each size, float (s,)."""
        return self.by_draw.mean(axis=1)

    @property
    def by_draw(self) -> np.ndarray:
        """The figure of each draw, float (s, draws)."""
        return mean_of_defined(self.figures[:, :, 0])

    def varied(self) -> np.ndarray:
        """Tells of which labels or numbers there are two different values, bool (k,)."""
        least, _, greatest = spans_of(self.truth).T
        return np.asarray(greatest > least)

    def parts(self) -> Sequence[int]:
        """Lists the labels that ten measured rows have, or the numbers that ten have."""
        there = self.truth == 1 if self.kind == LABELS else self._known
        found: list[int] = np.flatnonzero((there.sum(axis=0) >= FEWEST_OF_PART) & self.varied()).tolist()
        return found

    def errors(self, part: int | None) -> Errors:
        """Returns one minus the figure over all, or of one label or number.

        A resample in which no figure is defined, for want of a row that has the label, is left out.
        """
        every = 1 - (mean_of_defined(self.figures) if part is None else self.figures[..., part].astype(float))
        by_draw, resampled = every[:, :, 0], every[:, :, 1:]
        resampled = resampled[:, :, ~np.isnan(resampled).any(axis=(0, 1))]
        draws = by_draw.shape[1]
        chosen = np.random.default_rng(0).integers(0, draws, (resampled.shape[2], draws))
        times = (chosen[:, :, None] == np.arange(draws)).sum(axis=1) / draws
        of_rows = np.maximum(resampled.mean(axis=1).var(axis=1), 1e-8)
        means = np.einsum("sdb,bd->bs", resampled, times)
        if self.figure.name in REFLECTED:
            means = reflected(means, by_draw.mean(axis=1))
        return Errors(by_draw, means, of_rows)


def _weights(groups: np.ndarray) -> np.ndarray:
    """Returns how often each row counts in no resample and in each, float (RESAMPLES + 1, m)."""
    units = np.unique(groups, return_inverse=True)[1]
    count = int(units.max()) + 1
    drawn = drawn_weights(count, len(groups), RESAMPLES)
    return np.concatenate([np.ones((1, count)), *drawn])[:, units]
