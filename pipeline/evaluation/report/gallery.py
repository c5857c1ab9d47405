"""The gallery: the images that tell most about a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation import Report
from pipeline.images import UNLABELLED
from pipeline.names import readable

SHOWN = 24
OTHERS = 3
NAME = 90


@dataclass(frozen=True)
class Answer:
    """What a head said to one image.

    Attributes:
        id: Name of the image in its source, as it is.
        name: The same, fit to be shown.
        truth: Name of its class, fit to be shown; empty where it has none.
        right: Whether the prediction is right; None without a truth.
        guesses: The most probable classes with their probabilities, the best first.
        truth_probability: Probability of the true class; None without a truth.
    """

    id: str
    name: str
    truth: str
    right: bool | None
    guesses: tuple[tuple[str, float], ...]
    truth_probability: float | None


def worst_mistakes(report: Report, *, most: int = SHOWN) -> list[Answer]:
    """Returns the rows whose wrong class got the highest probability, the worst first."""
    labels, best = report.rows.labels, report.probabilities.argmax(axis=1)
    wrong = np.flatnonzero((labels != UNLABELLED) & (labels != best))
    order = np.argsort(-report.probabilities[wrong, best[wrong]], kind="stable")
    return [answer(report, row) for row in wrong[order[:most]]]


def least_certain(report: Report, *, most: int = SHOWN) -> list[Answer]:
    """Returns the rows whose two best classes are closest, labelled or not, the closest first."""
    second, first = np.partition(report.probabilities, -2, axis=1)[:, -2:].T
    order = np.argsort(first - second, kind="stable")
    return [answer(report, row) for row in order[:most]]


def answer(report: Report, row: int) -> Answer:
    """Returns what the head said to one row."""
    probabilities, label = report.probabilities[row], int(report.rows.labels[row])
    classes = report.figures.classes
    order = np.argsort(-probabilities, kind="stable")[:OTHERS]
    known = label != UNLABELLED
    return Answer(
        id=report.rows.ids[row],
        name=readable(report.rows.ids[row], NAME),
        truth=readable(classes[label]) if known else "",
        right=bool(order[0] == label) if known else None,
        guesses=tuple((readable(classes[i]), float(probabilities[i])) for i in order),
        truth_probability=float(probabilities[label]) if known else None,
    )
