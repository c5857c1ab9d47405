"""Labels of an image that honest answers contradict, each by itself, and numbers far from all answers.

A label is a question with two answers, to which confident learning applies as to two classes. A number has no
probability of being wrong: it is suspected where its residual is "far out" among the residuals of all images,
more than three interquartile ranges beyond the quartiles (J. W. Tukey, "Exploratory data analysis", 1977).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.labels.confident import answers_tell, confident_classes, error_probabilities
from pipeline.evaluation.labels.odd import FAR_OUT, FEWEST, most_alike
from pipeline.images.targets import LABELS, NUMBER
from pipeline.wording import number_text, readable

LEAST = 0.5
"""Probability of an error below which a label is left alone: it is more likely right than wrong."""
SURE = 0.99
"""Above this, scores are estimates from so few rows that a page gives no more of them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelSuspect:
    """A label that an image likely has, or has not, against what is given.

    Attributes:
        row: The image.
        part: Place of the label among the names.
        given: Whether the image is said to have it.
        score: How likely that is wrong, 0.5 to 1.
        alike: The rows of the most similar images that have it not, and that have it, int (2,); -1 = none.
    """

    row: int
    part: int
    given: bool
    score: float
    alike: np.ndarray

    def cells(self, names: Sequence[str]) -> dict[str, str]:
        """Returns what a terminal shows of it, by column."""
        given, suggested = ("yes", "no") if self.given else ("no", "yes")
        return {"label": names[self.part], "given": given, "suggested": suggested}

    def to_json(self, names: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
        """Returns what JSON tells of it."""
        near = {word: ids[row] for word, row in zip(("no", "yes"), self.alike, strict=True) if row >= 0}
        told = {"label": names[self.part], "given": self.given, "suggested": not self.given}
        return told | {"score": self.score, "alike": near}

    def words(self, names: Sequence[str]) -> str:
        """Says what is wrong."""
        likely = f"{self.score:.0%}" if self.score < SURE else f"over {SURE:.0%}"
        verb = "does not have" if self.given else "has"
        return f"{verb} {readable(names[self.part])}: {likely} likely an error"

    def likes(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """Returns the rows to show beside it, what is suggested first, and what each is."""
        name = readable(names[self.part])
        both = [(int(self.alike[1]), f"most like it with {name}")]
        both.insert(0 if self.given else 1, (int(self.alike[0]), f"most like it without {name}"))
        return [(row, words) for row, words in both if row >= 0]


@dataclass(frozen=True, eq=False, kw_only=True)
class NumberSuspect:
    """A number that is far from what heads answer that have not seen the image.

    Attributes:
        row: The image.
        part: Place of the number among the names.
        given: Its value.
        predicted: The mean answer: what was expected, and no proposal.
        score: How many interquartile ranges of all residuals its own lies beyond their quartiles, 3 or more.
        alike: The row of the most similar image, int (1,); -1 = none.
    """

    row: int
    part: int
    given: float
    predicted: float
    score: float
    alike: np.ndarray

    def cells(self, names: Sequence[str]) -> dict[str, str]:
        """Returns what a terminal shows of it, by column."""
        return {
            "number": names[self.part],
            "given": number_text(self.given),
            "predicted": number_text(self.predicted),
        }

    def to_json(self, names: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
        """Returns what JSON tells of it."""
        told = {"number": names[self.part], "given": self.given, "predicted": self.predicted}
        return told | {"score": self.score, "alike": [ids[row] for row in self.alike if row >= 0]}

    def words(self, names: Sequence[str]) -> str:
        """Says what is wrong."""
        return (
            f"{readable(names[self.part])} is given as {number_text(self.given)}, "
            f"{number_text(self.predicted)} is predicted: "
            f"{self.score:.1f} interquartile ranges beyond the residuals of most images"
        )

    def likes(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """Returns the row to show beside it."""
        return [(int(row), "most like it") for row in self.alike if row >= 0]


TargetSuspect = LabelSuspect | NumberSuspect

Alike = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Maps a part of each image, int (n,), -1 = none, some rows (m,), and the number of parts to the most similar
image of each part, int (m, parts)."""
Find = Callable[[int, np.ndarray, Sequence[np.ndarray], np.ndarray, Alike], Sequence[TargetSuspect]]


def find_target_suspects(
    kind: str,
    targets: np.ndarray,
    answers: Sequence[np.ndarray],
    alike: Alike,
) -> list[TargetSuspect]:
    """Finds suspects, the surest first.

    Args:
        kind: ``LABELS`` or ``NUMBER``.
        targets: (n, k), NaN where one is unknown.
        answers: float (n, k) of each head, all from heads that have not seen the image.
        alike: See ``Alike``.
    """
    find: dict[str, Find] = {LABELS: _labels, NUMBER: _numbers}
    found: list[TargetSuspect] = []
    for part, column in enumerate(targets.T):
        known = np.flatnonzero(~np.isnan(column))
        own = [one[known, part] for one in answers]
        if len(known) >= 2 and np.ptp(column[known]) > 0:
            found += find[kind](part, column[known], own, known, alike)
    return sorted(found, key=lambda one: -one.score)


def untold_labels(targets: np.ndarray, answers: Sequence[np.ndarray]) -> list[int]:
    """Returns the places of the labels of which the answers know too little to contradict any.

    Args:
        targets: As for :func:`find_target_suspects`.
        answers: Likewise.
    """
    found = []
    for part, column in enumerate(targets.T):
        known = ~np.isnan(column)
        labels = column[known].astype(int)
        if len(labels) >= 2 and np.ptp(labels) > 0:
            mean = np.mean([one[known, part] for one in answers], axis=0)
            if not answers_tell(_two_sided(mean), labels):
                found.append(part)
    return found


def _two_sided(probabilities: np.ndarray) -> np.ndarray:
    """Returns the probabilities that images have a label not, and have it, float (n, 2)."""
    return np.stack([1 - probabilities, probabilities], axis=1)


def _sides(known: np.ndarray, side: np.ndarray | int) -> np.ndarray:
    """Returns the side that each row stands on, int (m,), up to the last known one; -1 of unknown ones."""
    sides = np.full(int(known.max()) + 1, -1)
    sides[known] = side
    return sides


def _labels(
    part: int,
    given: np.ndarray,
    answers: Sequence[np.ndarray],
    known: np.ndarray,
    alike: Alike,
) -> list[LabelSuspect]:
    labels = given.astype(int)
    mean = np.mean(answers, axis=0)
    two = _two_sided(mean)
    score = error_probabilities(two, labels)
    suspected = (score >= LEAST) & (confident_classes(two, labels) != labels)
    for one in answers:
        suspected &= (one > 0.5) != (labels == 1)
    rows = np.flatnonzero(suspected)
    rows = rows[np.lexsort((-np.abs(mean - labels)[rows], -score[rows]))]
    near = alike(_sides(known, labels), known[rows], 2)
    return [
        LabelSuspect(row=int(known[i]), part=part, given=bool(labels[i]), score=float(score[i]), alike=likes)
        for i, likes in zip(rows, near, strict=True)
    ]


def _numbers(
    part: int,
    given: np.ndarray,
    answers: Sequence[np.ndarray],
    known: np.ndarray,
    alike: Alike,
) -> list[NumberSuspect]:
    if len(known) < FEWEST:  # quartiles say nothing
        return []
    beyond = np.array([_beyond_quartiles(given - one) for one in answers])
    mean = np.mean(answers, axis=0)
    score = np.abs(_beyond_quartiles(given - mean))
    agreed = (np.sign(beyond) == np.sign(beyond[0])).all(axis=0) & (np.abs(beyond) > FAR_OUT).all(axis=0)
    rows = np.flatnonzero(agreed & (score > FAR_OUT))
    near = alike(_sides(known, 0), known[rows], 1)
    return [
        NumberSuspect(
            row=int(known[i]),
            part=part,
            given=float(given[i]),
            predicted=float(mean[i]),
            score=float(score[i]),
            alike=likes,
        )
        for i, likes in zip(rows, near, strict=True)
    ]


def _beyond_quartiles(residuals: np.ndarray) -> np.ndarray:
    """Returns how many interquartile ranges each lies below (-) or above the quartiles, 0 between them."""
    low, high = np.quantile(residuals, [0.25, 0.75])
    away = np.minimum(residuals - low, 0) + np.maximum(residuals - high, 0)
    return np.asarray(away / (high - low)) if high > low else np.zeros(len(residuals))


def alike_in(directions: np.ndarray, groups: np.ndarray) -> Alike:
    """Returns what finds the most similar image of each part, see :func:`find_target_suspects`."""

    def find(sides: np.ndarray, rows: np.ndarray, parts: int) -> np.ndarray:
        every = np.concatenate([sides, np.full(len(directions) - len(sides), -1)])
        there = np.flatnonzero(every >= 0)
        near = most_alike(directions[there], every[there], groups[there], np.searchsorted(there, rows), parts)
        return np.where(near >= 0, there[near], -1)

    return find
