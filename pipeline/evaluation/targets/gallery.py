"""Which images the page shows: of labels the most surprising wrong ones, of numbers the largest errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.page.gallery import MOST_MISTAKES, MOST_OF_CLASSES, OPEN
from pipeline.evaluation.page.pictures import NAME
from pipeline.evaluation.targets.report import TargetReport
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.row_losses import log_shares
from pipeline.images.targets import LABELS, NOUNS, NUMBER
from pipeline.wording import counted, number_text, readable

MOST_LINES = 6
"""Wrong labels, or numbers, that are told of one image."""


@dataclass(frozen=True)
class Line:
    """One label or number of an image: what it is, and what was said."""

    name: str
    said: str


@dataclass(frozen=True)
class Mistake:
    """An image and what the head said of it.

    Attributes:
        id: Name of the image in its source, as it is.
        name: The same, fit to be shown.
        given: What it has, in words.
        answered: What the head said, in words.
        lines: What is wrong, the worst first.
        more: How many more are.
        names: Of all of these.
    """

    id: str
    name: str
    given: str
    answered: str
    lines: tuple[Line, ...]
    more: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Mistakes:
    """The images that tell most about a head.

    Attributes:
        title: What they are.
        note: Which of how many.
        open: Images that are seen at once; the others when they are asked for.
        shown: The images.
    """

    title: str
    note: str
    open: int
    shown: tuple[Mistake, ...]

    @property
    def ids(self) -> list[str]:
        """The images by name."""
        return [one.id for one in self.shown]


def mistakes(report: TargetReport) -> Mistakes:
    """Chooses the images to show: those with the worst answers, then the worst of each name without one."""
    return {LABELS: _of_labels, NUMBER: _of_numbers}[report.target](report)


def _of_labels(report: TargetReport) -> Mistakes:
    """Ranks images by the label that surprises most: what is right of it had the lowest probability."""
    truth, said = report.truth, report.decisions
    wrong = ~np.isnan(truth) & (said != (truth == 1))
    surprise = np.where(wrong, -log_shares(LABELS, truth, report.answers), -np.inf)
    names = [readable(name, 40) for name in report.trained.classes]

    def line(row: int, label: int) -> Line:
        probability = f"{report.answers[row, label]:.1%}"
        has = truth[row, label] == 1
        return Line(names[label], f"missed, at {probability}" if has else f"not there, at {probability}")

    def listed(marks: np.ndarray) -> str:
        return ", ".join(names[i] for i in np.flatnonzero(marks)[:MOST_LINES]) or "none"

    return _chosen(
        report,
        surprise,
        line=line,
        given=lambda row: listed(truth[row] == 1),
        answered=lambda row: listed(said[row] & ~np.isnan(truth[row])),
        title="Most surprising wrong labels",
        what=" with a wrong label",
    )


def _of_numbers(report: TargetReport) -> Mistakes:
    """Ranks images by their largest error; of several numbers each is measured by its own spread."""
    truth, answers = report.truth.astype(np.float64), report.answers
    errors = np.abs(truth - answers) / NumberScale.of(truth).spread
    names = [readable(name, 40) for name in report.trained.classes]

    def line(row: int, number: int) -> Line:
        away = answers[row, number] - truth[row, number]
        values = f"is {number_text(truth[row, number])}, answered {number_text(answers[row, number])}"
        return Line(names[number], f"{values} ({away:+.4g})")

    return _chosen(
        report,
        np.where(np.isnan(errors), -np.inf, errors),
        line=line,
        given=lambda row: "",
        answered=lambda row: "",
        title="Largest errors",
        what="",
    )


def _chosen(
    report: TargetReport,
    badness: np.ndarray,
    *,
    line: Callable[[int, int], Line],
    given: Callable[[int], str],
    answered: Callable[[int], str],
    title: str,
    what: str,
) -> Mistakes:
    """Shows rows by their worst entry of ``badness``, float (n, k), -inf where nothing is wrong."""
    worst = badness.max(axis=1)
    rows = np.flatnonzero(worst > -np.inf)
    order = rows[np.argsort(-worst[rows], kind="stable")]
    first = order[:MOST_MISTAKES].tolist()
    told = set(badness[first].argmax(axis=1).tolist()) if first else set()
    others = (_worst_of(badness[:, i]) for i in range(badness.shape[1]) if i not in told)
    rest = dict.fromkeys(row for row in others if row is not None and row not in first)
    shown = [*first, *list(rest)[:MOST_OF_CLASSES]]

    def pictured(row: int) -> Mistake:
        entries = np.argsort(-badness[row], kind="stable")
        there = [int(i) for i in entries if badness[row, i] > -np.inf]
        lines = tuple(line(row, i) for i in there[:MOST_LINES])
        name = report.rows.ids[row]
        return Mistake(
            name,
            readable(name, NAME),
            given(row),
            answered(row),
            lines,
            len(there) - len(lines),
            tuple(readable(report.trained.classes[i], 40) for i in there),
        )

    return Mistakes(
        title, _note(report, len(first), len(shown), len(rows), what), OPEN[0], tuple(map(pictured, shown))
    )


def _worst_of(column: np.ndarray) -> int | None:
    row = int(column.argmax())
    return row if column[row] > -np.inf else None


def _note(report: TargetReport, first: int, shown: int, count: int, what: str) -> str:
    if not count:
        return "There is no mistake on this split."
    if shown == count:
        return f"{counted(count, 'image')}{what}: all there are, the worst first."
    others = "" if shown == first else f", then the worst of each other {NOUNS[report.target]}"
    return f"{shown:,} of {counted(count, 'image')}{what}: the worst{others}."
