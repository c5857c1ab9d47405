"""Which images the gallery shows: mistakes first, then doubts, then what is right and sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.page.pictures import PicturedAnswer, answer, least_certain, worst_mistakes
from pipeline.evaluation.report import Report
from pipeline.images import UNLABELLED

MOST_MISTAKES, MOST_OF_CLASSES, MOST_DOUBTS, MOST_RIGHT = 72, 72, 48, 48
OPEN = (24, 12, 6)
"""Pictures of each group that are seen at once: whole lines, of three a line or six."""


@dataclass(frozen=True)
class Shown:
    """Images that belong together.

    Attributes:
        title: What they are.
        note: Which of how many.
        none: What is said where there are none.
        open: Images that are seen at once; the others when they are asked for.
        answers: What the head said to each.
    """

    title: str
    note: str
    none: str
    open: int
    answers: tuple[PicturedAnswer, ...]


@dataclass(frozen=True)
class Gallery:
    """All images that are shown.

    Attributes:
        mistakes: The surest mistakes, then the surest of each class that has none among them.
        doubts: The other rows whose two best classes are closest.
        right: The surest right rows of each class, for comparison.
        wrong_rows: All mistakes there are.
    """

    mistakes: tuple[PicturedAnswer, ...]
    doubts: tuple[PicturedAnswer, ...]
    right: tuple[PicturedAnswer, ...]
    wrong_rows: int

    @property
    def answers(self) -> tuple[PicturedAnswer, ...]:
        """All of them, mistakes first."""
        return (*self.mistakes, *self.doubts, *self.right)

    @property
    def ids(self) -> list[str]:
        """The images by name."""
        return [one.id for one in self.answers]

    @property
    def groups(self) -> tuple[Shown, ...]:
        """The images as they are shown."""
        shown = len(self.mistakes)
        some = f"{shown:,} of {self.wrong_rows:,}: the surest, then the surest of each other class"
        return (
            Shown(
                "Worst mistakes: surest of the wrong class",
                f"All {shown:,} mistakes." if shown == self.wrong_rows else f"{some}.",
                "There is no mistake on this split.",
                OPEN[0],
                self.mistakes,
            ),
            Shown(
                "Least certain: the two best classes are closest",
                f"The {len(self.doubts):,} closest that are not above.",
                "There are no others.",
                OPEN[1],
                self.doubts,
            ),
            Shown(
                "For comparison: right and sure",
                f"The {len(self.right):,} surest of their classes.",
                "There are none that are not above.",
                OPEN[2],
                self.right,
            ),
        )


def gallery(report: Report) -> Gallery:
    """Chooses the images that tell most about a head."""
    labels, best = report.rows.labels, report.probabilities.argmax(axis=1)
    mistakes = _worst_and_of_each_class(report, labels, best)
    taken = {one.id for one in mistakes}
    doubts = [one for one in least_certain(report, most=MOST_DOUBTS + len(taken)) if one.id not in taken]
    doubts = doubts[:MOST_DOUBTS]
    taken |= {one.id for one in doubts}
    each = max(MOST_RIGHT // len(np.unique(labels[labels != UNLABELLED])), 1)
    right = [answer(report, row) for row in _surest_of_classes(report, labels == best, each=each)]
    return Gallery(
        mistakes=tuple(mistakes),
        doubts=tuple(doubts),
        right=tuple(one for one in right[:MOST_RIGHT] if one.id not in taken),
        wrong_rows=int(((labels != UNLABELLED) & (labels != best)).sum()),
    )


def _worst_and_of_each_class(report: Report, labels: np.ndarray, best: np.ndarray) -> list[PicturedAnswer]:
    worst = worst_mistakes(report, most=MOST_MISTAKES)
    known = {one.truth for one in worst}
    each = (
        answer(report, row) for row in _surest_of_classes(report, (labels != UNLABELLED) & (labels != best))
    )
    return worst + [one for one in each if one.truth not in known][:MOST_OF_CLASSES]


def _surest_of_classes(report: Report, among: np.ndarray, *, each: int = 1) -> list[int]:
    """Returns the surest rows of each true class among some rows, bool (n,), the surest first."""
    rows = np.flatnonzero(among)
    rows = rows[np.argsort(-report.probabilities[rows].max(axis=1), kind="stable")]
    labels = report.rows.labels[rows]
    kept = [np.flatnonzero(labels == label)[:each] for label in np.unique(labels)]
    return rows[np.sort(np.concatenate(kept))].tolist() if kept else []
