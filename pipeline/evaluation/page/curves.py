"""Learning curves and reliability as coordinates that a template draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import wilson_interval
from pipeline.evaluation.plots import PANELS, best_epoch
from pipeline.evaluation.reliability import ReliabilityBin

LARGEST_DOT = 7.0

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 40
"""Margins of a chart in its own units; the page scales it."""
TICKS = 5
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

Place = Callable[[float], float]
"""Maps a value to its place on an axis."""


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


@dataclass(frozen=True)
class Series:
    """A line: its name, the SVG path and the last value."""

    name: str
    path: str
    last: float


@dataclass(frozen=True)
class Chart:
    """Curves by epoch.

    Attributes:
        title: What is drawn.
        x_ticks: (position, text) along the epochs.
        y_ticks: (position, text) of the values.
        series: Training, then validation.
        best: Position of the best epoch; None where unknown.
        best_epoch: Its number.
    """

    title: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    series: tuple[Series, ...]
    best: float | None
    best_epoch: int | None


def learning_curves(history: Mapping[str, Sequence[float]]) -> list[Chart]:
    """Returns a chart of the loss and one of the accuracy, as far as the history has finite values."""
    charts = []
    for panel in PANELS:
        known = {
            name: np.asarray(history[key], float)
            for name, key in (("training", panel), ("validation", f"val_{panel}"))
            if history.get(key)
        }
        finite = np.concatenate([values[np.isfinite(values)] for values in known.values()] or [np.empty(0)])
        if finite.size:
            charts.append(_chart(panel, known, finite, best_epoch(history)))
    return charts


def ticks(low: float, high: float, *, most: int = TICKS) -> list[float]:
    """Returns round numbers that cover a range: every 1, 2, 2.5 or 5 times a power of ten."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    magnitude = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(one * magnitude for one in STEPS if one * magnitude * most >= (high - low) * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _chart(title: str, known: dict[str, np.ndarray], finite: np.ndarray, best: int | None) -> Chart:
    epochs = max(map(len, known.values()))
    values = ticks(float(finite.min()), float(finite.max()))
    low, high = values[0], values[-1]

    def x(epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(epochs - 1, 1), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low), 1)

    numbers = sorted({max(1, round(value)) for value in ticks(1, epochs) if value <= epochs})
    return Chart(
        title=title,
        x_ticks=tuple((x(epoch), str(epoch)) for epoch in numbers),
        y_ticks=tuple((y(value), f"{value:.6g}") for value in values),
        series=tuple(
            Series(name, _path(run, x, y), float(run[np.isfinite(run)][-1]))
            for name, run in known.items()
            if np.isfinite(run).any()
        ),
        best=None if best is None else x(best),
        best_epoch=best,
    )


def _path(values: np.ndarray, x: Place, y: Place) -> str:
    """Returns an SVG path with a gap where a value is no number; a lone value is a dot of no length."""
    parts, joined = [], False
    for epoch, value in enumerate(values.tolist(), 1):
        if not math.isfinite(value):
            joined = False
            continue
        parts.append(f"{'L' if joined else 'M'}{x(epoch)} {y(value)}" + ("" if joined else "h0"))
        joined = True
    return "".join(parts)
