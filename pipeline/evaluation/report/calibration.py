"""The reliability diagram as coordinates that a template draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.metrics import wilson_interval
from pipeline.evaluation.reliability import ReliabilityBin
from pipeline.evaluation.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, ticks

LARGEST_DOT = 7.0


@dataclass(frozen=True)
class Dot:
    """One group of rows of similar confidence.

    Attributes:
        group: The group.
        x: Place of its mean confidence.
        y: Place of its accuracy.
        low: Place of the lower end of the accuracy's 95 % interval.
        high: Place of its upper end.
        radius: Its square goes with the number of rows.
    """

    group: ReliabilityBin
    x: float
    y: float
    low: float
    high: float
    radius: float


@dataclass(frozen=True)
class Diagram:
    """The groups and the axes, which both begin at the same share.

    Attributes:
        dots: The groups by rising confidence.
        x_ticks: (position, text) of confidences.
        y_ticks: (position, text) of accuracies.
    """

    dots: tuple[Dot, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def diagram(groups: Sequence[ReliabilityBin]) -> Diagram:
    """Places the groups between the lowest share that occurs, rounded down, and 1."""
    lowest = min(min(one.confidence, one.accuracy) for one in groups)
    marks = ticks(min(math.floor(lowest * 10) / 10, 0.9), 1.0)
    start = marks[0]
    most = max(one.rows for one in groups)

    def x(share: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (share - start) / (1 - start), 1)

    def y(share: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (max(share, start) - start) / (1 - start), 1)

    def dot(one: ReliabilityBin) -> Dot:
        low, high = wilson_interval(round(one.accuracy * one.rows), one.rows)
        radius = round(LARGEST_DOT * math.sqrt(one.rows / most), 1)
        return Dot(one, x(one.confidence), y(one.accuracy), y(low), y(high), radius)

    return Diagram(
        dots=tuple(map(dot, groups)),
        x_ticks=tuple((x(mark), f"{mark:.0%}") for mark in marks),
        y_ticks=tuple((y(mark), f"{mark:.0%}") for mark in marks),
    )
