"""Picture of the calibration: how often a head is right that is sure to a given degree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.evaluation.metrics import Figures, wilson_interval
from pipeline.evaluation.names import readable
from pipeline.evaluation.plots import INK, PAPER, VOID
from pipeline.evaluation.reliability import ReliabilityBin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOW, EARLIER = "#2f6fb0", "#d9730d"


def draw_reliability(figures: Figures, *, subject: str, before: Figures | None = None) -> Figure:
    """Draws accuracy over confidence for each bin with its 95 % interval, and the size of the bins below.

    On the diagonal a head is as often right as it claims; below it, it claims too much. Both axes begin
    where the data begin, because the confidences of a good head fill a corner only.

    Args:
        figures: The figures.
        subject: What was evaluated, for the title.
        before: The figures without a temperature, drawn beside them; None = there is none.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    shown = [(figures.reliability, NOW, "calibrated" if before else "bins of rows", figures.ece)]
    if before:
        shown.insert(0, (before.reliability, EARLIER, "as the head answers", before.ece))
    figure = Figure(figsize=(5.6, 6.2), facecolor=PAPER, layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    start = _start([one for bins, *_ in shown for one in bins])
    top.plot([start, 1], [start, 1], color=INK, linewidth=1, linestyle=":", label="right as often as sure")
    for bins, colour, word, ece in shown:
        _draw_bins(top, bins, colour=colour, label=f"{word}: calibration error {ece:.4f}")
        _draw_sizes(bottom, bins, colour=colour)
    margin = 0.02 * (1 - start)
    top.set_xlim(start - margin, 1 + margin)
    top.set_ylim(top=1 + 2 * margin)
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=VOID, linewidth=0.6)
        axes.set_axisbelow(True)
    top.yaxis.set_major_formatter(PercentFormatter(1))
    bottom.xaxis.set_major_formatter(PercentFormatter(1))
    top.set_ylabel("accuracy", color=INK)
    bottom.set_ylabel("rows in the bin", color=INK)
    bottom.set_xlabel("confidence: probability of the predicted class", color=INK)
    top.legend(frameon=False, fontsize=8, loc="upper left")
    title = f"{readable(subject, 70)}\nn = {figures.n:,}"
    top.set_title(title, loc="left", color=INK, fontsize=10, parse_math=False)
    return figure


def _start(bins: list[ReliabilityBin]) -> float:
    """Returns where the axes begin: below the lowest confidence and accuracy, at least a bit below 1."""
    lowest = min(min(one.low, one.accuracy) for one in bins)
    return min(max(lowest - 0.02, 0.0), 0.9)


def _draw_bins(axes: Axes, bins: tuple[ReliabilityBin, ...], *, colour: str, label: str) -> None:
    confidence = [one.confidence for one in bins]
    accuracy = [one.accuracy for one in bins]
    ends = [wilson_interval(round(one.accuracy * one.rows), one.rows) for one in bins]
    axes.vlines(confidence, *zip(*ends, strict=True), color=colour, alpha=0.35, linewidth=2)
    axes.plot(confidence, accuracy, "o-", color=colour, markersize=4.5, linewidth=1.2, label=label)


def _draw_sizes(axes: Axes, bins: tuple[ReliabilityBin, ...], *, colour: str) -> None:
    """Draws a bar from edge to edge of each bin, as high as it has rows."""
    axes.bar(
        [one.low for one in bins],
        [one.rows for one in bins],
        [one.high - one.low for one in bins],
        align="edge",
        facecolor=f"{colour}59",
        edgecolor=colour,
        linewidth=0.8,
    )
    axes.set_ylim(bottom=0)
