"""Pictures of an evaluation: the confusion matrix, the learning curves, and the calibration."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pipeline.evaluation.figures import Figures, most_confused, table_of
from pipeline.evaluation.metrics import wilson_interval
from pipeline.evaluation.reliability import ReliabilityBin
from pipeline.wording import counted, readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure


DPI = 150
POINTS_PER_INCH = 72
DIGIT_WIDTH = 0.64  # of the font size, in DejaVu Sans, matplotlib's own font
SMALLEST_NUMBER = 6.0  # points; anything smaller is a smudge on a screen
INK, PAPER, VOID = "#1f2933", "#ffffff", "#e4e7eb"
TRAINING, VALIDATION = "#2f6fb0", "#d9730d"
PANELS = ("loss", "accuracy")
MOST_DRAWN = 1000
"""Classes of a confusion matrix: more have no cell of their own on any screen."""

RIGHT, SURE = "#2f6fb0", "#d9730d"
GAP = "#f3c9a5"


def draw_confusion_matrix(figures: Figures, *, subject: str) -> Figure:
    """Draws who is taken for whom: hits in blue, mistakes in orange, shaded by share of the true class.

    Mistakes have a square-root scale, or the few of a good head would be invisible beside the hits.
    Numbers are written where they fit; of many class names every second, third, ... is shown; the row
    of a class that has no image is grey. Of more than 1,000 classes those that are confused most are drawn.

    Args:
        figures: The figures, of any number of classes.
        subject: What was evaluated, for the title.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize, PowerNorm
    from matplotlib.figure import Figure

    k = min(len(figures.classes), MOST_DRAWN)
    kept = most_confused(figures.pairs, len(figures.classes), MOST_DRAWN)
    confusion = table_of(figures.pairs, kept)
    support = np.array([figures.per_class[i].support for i in kept])
    side = min(max(0.52 * k, 3.4), 12.0)  # inches
    cell = side * POINTS_PER_INCH / k
    text = 10.0 + 0.5 * max(side - 5.0, 0.0)  # a large picture is looked at scaled down
    figure = Figure(figsize=(side, side), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    hits = ScalarMappable(Normalize(0, 1), "Blues")
    mistakes = ScalarMappable(PowerNorm(0.5, 0, 1), "Oranges")

    colours = _cell_colours(confusion, support, hits, mistakes)
    axes.imshow(colours, interpolation="nearest")
    _write_numbers(axes, confusion, colours, cell=cell)
    _name_classes(axes, [figures.per_class[i].name for i in kept], cell=cell)
    if cell > 12:
        axes.set_xticks(np.arange(k + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(k + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=VOID, linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(VOID)
    axes.set_xlabel("predicted class", color=INK, size=text)
    axes.set_ylabel("true class", color=INK, size=text)
    some = (
        ""
        if k == len(figures.classes)
        else f"\n{k:,} of {counted(len(figures.classes), 'class')}, the most confused"
    )
    _head(axes, f"{readable(subject, 70)}\n{figures.headline}{some}", size=text)
    height = min(0.45, 2.6 / side)
    for mappable, word, top in ((hits, "hits", 1.0), (mistakes, "mistakes", 0.9 - height)):
        strip = figure.add_axes((1 + 0.2 / side, top - height, 0.15 / side, height))
        bar = figure.colorbar(mappable, cax=strip, ticks=[0, 0.1, 0.5, 1], format="{x:.0%}")
        bar.set_label(f"{word} / true class", size=8, color=INK)
        bar.ax.tick_params(labelsize=7, length=2)
        bar.outline.set_visible(False)
    return figure


def draw_curves(history: dict[str, list[float]], *, subject: str) -> Figure:
    """Draws loss and accuracy by epoch, training beside validation, with the best epoch marked.

    Args:
        history: Figures by epoch as Keras names them: ``loss``, ``accuracy``, ``val_loss``, ...
        subject: What was trained, for the title.

    Raises:
        ValueError: The history holds no curve; see :func:`has_curves`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    panels = [name for name in PANELS if history.get(name)]
    epochs = max(len(history[name]) for name in panels)
    best = best_epoch(history)
    figure = Figure(figsize=(0.6 + 4.6 * len(panels), 3.8), facecolor=PAPER, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for key, colour, word in ((name, TRAINING, "training"), (f"val_{name}", VALIDATION, "validation")):
            if values := history.get(key):
                style = "o-" if epochs <= 30 else "-"
                axes.plot(range(1, len(values) + 1), values, style, c=colour, ms=3.5, label=word)
        if best is not None:
            axes.axvline(best, color=INK, linewidth=1, linestyle=":", label=f"best epoch: {best}")
        axes.set_xlim(0.5, epochs + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=VOID, linewidth=0.6)
        axes.set_xlabel("epoch", color=INK)
        _head(axes, name, size=10)
        axes.legend(frameon=False, fontsize=8)
    title = readable(subject, 70)
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11, parse_math=False)
    return figure


def has_curves(history: dict[str, list[float]]) -> bool:
    """Tells whether a history holds anything that :func:`draw_curves` shows."""
    return any(history.get(name) for name in PANELS)


def best_epoch(history: Mapping[str, Sequence[float]]) -> int | None:
    """Returns the epoch (from 1) with the lowest validation loss; None where none was measured."""
    losses = np.asarray(history.get("val_loss", []), float)
    return int(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None


def save_png(figure: Figure, target: Path | BinaryIO) -> None:
    """Writes a picture as PNG, cropped to what is on it."""
    with warnings.catch_warnings():
        # A class may be named in a script the font lacks: boxes instead of letters are no reason to
        # fail or to worry. `font.family` in a matplotlibrc chooses a font that has them.
        warnings.filterwarnings("ignore", "Glyph|Matplotlib currently does not support", UserWarning)
        figure.savefig(target, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.15)


def _cell_colours(
    confusion: np.ndarray, support: np.ndarray, hits: ScalarMappable, mistakes: ScalarMappable
) -> np.ndarray:
    """Returns float (k, k, 4) RGBA."""
    from matplotlib.colors import to_rgba

    share = confusion / np.maximum(support, 1)[:, None]
    diagonal = np.eye(len(confusion), dtype=bool)
    colours = np.where(diagonal[..., None], hits.to_rgba(share), mistakes.to_rgba(share))
    colours[confusion == 0] = to_rgba(PAPER)
    colours[support == 0] = to_rgba(VOID)
    return colours


def _write_numbers(axes: Axes, confusion: np.ndarray, colours: np.ndarray, *, cell: float) -> None:
    """Writes the counts into the cells (``cell`` points wide) if the longest one fits."""
    longest = len(f"{confusion.max():,}")
    size = min(11.0, 0.85 * cell / (DIGIT_WIDTH * longest), 0.6 * cell)
    if size < SMALLEST_NUMBER:
        return
    brightness = colours[..., :3] @ (0.299, 0.587, 0.114)
    for true, predicted in np.argwhere(confusion):
        axes.text(
            predicted,
            true,
            f"{confusion[true, predicted]:,}",
            ha="center",
            va="center",
            size=size,
            color=INK if brightness[true, predicted] > 0.5 else PAPER,
            in_layout=False,  # inside the axes anyway, and thousands of boxes need not be measured
        )


def _name_classes(axes: Axes, classes: Sequence[str], *, cell: float) -> None:
    """Labels both axes with as many class names as fit into cells of ``cell`` points."""
    size = min(max(0.75 * cell, 6.5), 10.0)
    step = math.ceil(1.15 * size / cell)
    ticks = range(0, len(classes), step)
    names = [readable(classes[i], 24) for i in ticks]
    level = max(map(len, names)) * DIGIT_WIDTH * size < 0.95 * cell * step
    rotation = 0 if level else 90 if len(classes) > 12 else 45
    turned: dict[str, Any] = {"rotation": rotation, "rotation_mode": "anchor"} if rotation else {}
    style: dict[str, Any] = {"size": size, "color": INK, "parse_math": False}
    axes.set_yticks(ticks, names, **style)
    axes.set_xticks(ticks, names, **style, **turned)
    if rotation:
        for label in axes.get_xticklabels():
            label.set(ha="right", va="center" if rotation == 90 else "top")


def _head(axes: Axes, title: str, *, size: float) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=size, parse_math=False)


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
