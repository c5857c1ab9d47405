"""What another threshold would bring: the curves of each class, and answers that are kept back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import wilson_interval
from pipeline.evaluation.page.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from pipeline.evaluation.report import Report
from pipeline.images import UNLABELLED
from pipeline.wording import readable

MOST_CLASSES = 200
MOST_POINTS = 150
"""Points of a curve: one every four pixels, which looks like the whole."""
MARKS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
KEPT_BACK = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Mark:
    """One threshold of one class.

    Attributes:
        threshold: Rows with at least this probability are taken for the class.
        taken: Rows that are.
        precision: Share of these that belong to it; None where there are none.
        recall: Share of the rows of the class that are among them.
        false_alarms: Share of the other rows that are among them.
        roc: Place on the ROC curve, x and y.
        pr: Place on the precision-recall curve; None where there is no precision.
    """

    threshold: float
    taken: int
    precision: float | None
    recall: float
    false_alarms: float
    roc: tuple[float, float]
    pr: tuple[float, float] | None


@dataclass(frozen=True)
class ClassCurves:
    """One class against all others.

    Attributes:
        name: The class, fit to be shown.
        rows: Rows that belong to it.
        area: Area under the ROC curve.
        average_precision: Mean precision over the recall.
        roc: SVG path of the ROC curve.
        pr: SVG path of the precision-recall curve, in steps.
        chance: Place of the precision that drawing rows at random would have.
        marks: What some thresholds bring.
    """

    name: str
    rows: int
    area: float
    average_precision: float
    roc: str
    pr: str
    chance: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Answered:
    """What is left when less sure answers are kept back.

    Attributes:
        threshold: The least probability of an answer that is given.
        rows: Rows that get an answer.
        share: The same as a share of all.
        accuracy: Share of the answers that are right; None where there are none.
        interval: Its 95 % Wilson interval.
    """

    threshold: float
    rows: int
    share: float
    accuracy: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Axes:
    """(position, text) of the marks along both axes, which are shares."""

    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def across(share: float) -> float:
    """Returns the place of a share along the lower axis."""
    return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def up(share: float) -> float:
    """Returns the place of a share along the left axis; the page counts downwards."""
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 1)


AXES = Axes(
    tuple((across(i / 5), f"{i / 5:.0%}") for i in range(6)),
    tuple((up(i / 5), f"{i / 5:.0%}") for i in range(6)),
)


def class_curves(report: Report, *, most: int = MOST_CLASSES) -> list[ClassCurves]:
    """Draws the curves of every class that has rows, where others have some, too.

    Args:
        report: The evaluation.
        most: Classes at most; of more, those with the lowest F1.

    Returns:
        The classes, the lowest average precision first.
    """
    known = report.rows.labels != UNLABELLED
    truth, probabilities = report.rows.labels[known], report.probabilities[known]
    place = {name: i for i, name in enumerate(report.figures.classes)}
    worst = report.figures.worst(most)
    found = [
        _curves(one.name, truth == place[one.name], probabilities[:, place[one.name]].astype(np.float64))
        for one in worst
        if 0 < one.support < len(truth)
    ]
    return sorted(found, key=lambda one: one.average_precision)


def answers_kept_back(report: Report) -> list[Answered]:
    """Says how many rows get an answer, and how many of these are right, by the least confidence."""
    known = report.rows.labels != UNLABELLED
    sure = report.probabilities[known].max(axis=1)
    right = report.probabilities[known].argmax(axis=1) == report.rows.labels[known]
    found = []
    for threshold in (0.0, *KEPT_BACK):
        given = sure >= threshold
        rows, correct = int(given.sum()), int(right[given].sum())
        interval = wilson_interval(correct, rows) if rows else None
        found.append(Answered(threshold, rows, rows / len(sure), correct / rows if rows else None, interval))
    return found


def _curves(name: str, own: np.ndarray, scores: np.ndarray) -> ClassCurves:
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    false_alarms, hits, _ = roc_curve(own, scores)
    precision, recall, _ = precision_recall_curve(own, scores, drop_intermediate=True)
    return ClassCurves(
        name=readable(name),
        rows=int(own.sum()),
        area=float(roc_auc_score(own, scores)),
        average_precision=float(average_precision_score(own, scores)),
        roc=_line(*_thinned(false_alarms, hits)),
        pr=_steps(*_thinned(recall, precision)),
        chance=up(float(own.mean())),
        marks=tuple(_mark(threshold, own, scores) for threshold in MARKS),
    )


def _mark(threshold: float, own: np.ndarray, scores: np.ndarray) -> Mark:
    taken = scores >= threshold
    count, hits = int(taken.sum()), int((taken & own).sum())
    precision = hits / count if count else None
    recall, alarms = hits / int(own.sum()), (count - hits) / int((~own).sum())
    return Mark(
        threshold=threshold,
        taken=count,
        precision=precision,
        recall=recall,
        false_alarms=alarms,
        roc=(across(alarms), up(recall)),
        pr=None if precision is None else (across(recall), up(precision)),
    )


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keeps points at even distances along a curve that has more than a screen can show; both ends stay."""
    if len(x) <= MOST_POINTS:
        return x, y
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], MOST_POINTS)).clip(max=len(x) - 1))
    return x[kept], y[kept]


def _line(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(f"{across(a):g} {up(b):g}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _steps(recall: np.ndarray, precision: np.ndarray) -> str:
    """Returns a path in steps: between two points no threshold has a precision, so none is drawn."""
    points = list(zip(recall.tolist(), precision.tolist(), strict=True))
    (first, *rest) = points
    moves = "".join(f"H{across(a):g}V{up(b):g}" for a, b in rest)
    return f"M{across(first[0]):g} {up(first[1]):g}{moves}"
