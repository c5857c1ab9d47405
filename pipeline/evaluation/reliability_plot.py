"""Picture of the calibration: how sure a head is, beside how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.evaluation.metrics import Figures, wilson_interval
from pipeline.evaluation.plots import INK, PAPER, VOID
from pipeline.evaluation.reliability import ReliabilityBin
from pipeline.names import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RIGHT, SURE = "#2f6fb0", "#d9730d"
GAP = "#f3c9a5"


def draw_reliability(figures: Figures, *, subject: str, before: Figures | None = None) -> Figure:
    """Draws for each bin how sure the head is and how often it is right, and how many rows the bin has.

    The bins stand side by side, from the least to the most confident: on an axis of confidence those of a
    good head would all lie on top of each other near 100 %.

    Args:
        figures: The figures.
        subject: What was evaluated, for the title.
        before: The figures without a temperature, drawn to the left; None = there are none.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    panels = [("as the head answers", before), ("calibrated", figures)] if before else [("", figures)]
    figure = Figure(figsize=(0.9 + 5.0 * len(panels), 5.2), facecolor=PAPER, layout="constrained")
    grid = figure.subplots(2, len(panels), sharex="col", sharey="row", height_ratios=(3, 1), squeeze=False)
    for column, (word, shown) in enumerate(panels):
        top, bottom = grid[:, column]
        _draw_bins(top, shown.reliability)
        bottom.bar(
            range(len(shown.reliability)), [one.rows for one in shown.reliability], color=RIGHT, alpha=0.5
        )
        names = [sure(one.confidence) for one in shown.reliability]
        bottom.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", size=8)
        bottom.set_xlabel("confidence: mean probability of the predicted class", color=INK)
        title = f"{word}{', ' if word else ''}calibration error {shown.ece:.4f}"
        top.set_title(title, loc="left", color=INK, fontsize=9)
        for axes in (top, bottom):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color=VOID, linewidth=0.6, axis="y")
            axes.set_axisbelow(True)
        top.use_sticky_edges = False  # or a bar that ends at the edge would lose its end
        top.margins(y=0.04)
        top.set_xlim(-0.6, max(len(names), 3) - 0.4)
    top, bottom = grid[:, 0]
    top.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    top.set_ylabel("share", color=INK)
    bottom.set_ylabel("rows in the bin", color=INK)
    top.legend(frameon=False, fontsize=8, loc="lower right")
    title = f"{readable(subject, 70)}, n = {figures.n:,}"
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11, parse_math=False)
    return figure


def sure(confidence: float) -> str:
    """Writes a confidence in percent with so many digits that it is not rounded to 100 % unless it is."""
    for digits in (0, 1, 2, 3):
        text = f"{confidence:.{digits}%}"
        if not text.startswith("100"):
            return text
    return "100%" if confidence == 1 else ">99.999%"


def _draw_bins(axes: Axes, bins: tuple[ReliabilityBin, ...]) -> None:
    places = range(len(bins))
    accuracy, confidence = [one.accuracy for one in bins], [one.confidence for one in bins]
    ends = [wilson_interval(round(one.accuracy * one.rows), one.rows) for one in bins]
    height = [right - sure for right, sure in zip(accuracy, confidence, strict=True)]
    axes.bar(places, height, 0.62, bottom=confidence, color=GAP, label="gap")
    axes.hlines(
        confidence,
        [i - 0.31 for i in places],
        [i + 0.31 for i in places],
        color=SURE,
        linewidth=2,
        label="how sure (confidence)",
    )
    low, high = zip(*ends, strict=True)
    axes.vlines(places, low, high, color=RIGHT, alpha=0.5, linewidth=1.5)
    axes.plot(places, accuracy, "o", color=RIGHT, markersize=5, label="how often right, with 95% interval")
