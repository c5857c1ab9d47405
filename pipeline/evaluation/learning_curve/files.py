"""What is kept of a learning curve, and what a terminal shows of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.evaluation.files import replacing, software, write_json
from pipeline.evaluation.learning_curve import LearningCurve
from pipeline.evaluation.plots import INK, PAPER, TRAINING, VALIDATION, VOID, save_png
from pipeline.files import root_of
from pipeline.run_files import is_of_a_learning_curve
from pipeline.wording import counted, readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "learning-curve"
"""Name of the folder and of the files in it."""
MOST_CLASSES = 10
BEYOND = np.array([1.0, 1.4, 2.0, 2.8, 4.0])
"""How far the picture looks beyond the rows that are there, as factors."""


def write_learning_curve(curve: LearningCurve, entry: Path) -> Path:
    """Writes learning-curve.json and learning-curve.png, and returns their folder.

    Args:
        curve: What was measured.
        entry: Where the heads of the entry stand, ``<runs>/<dataset>/<entry>``.

    Raises:
        UsageError: Something that is no learning curve stands there.
        PipelineError: The folder cannot be written.
    """
    folder, record = entry / NAME, f"{NAME}.json"
    root = root_of(folder, 3)  # <runs>/<dataset>/<entry>/learning-curve
    with replacing(folder, record, known=is_of_a_learning_curve, root=root) as fresh:
        write_json(curve.to_json() | {"software": software()}, fresh / record)
        save_png(draw_learning_curve(curve), fresh / f"{NAME}.png")
    return folder


def draw_learning_curve(curve: LearningCurve) -> Figure:
    """Draws the figure at each size with its band, every draw, and the law with its band beyond."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    told = curve.figure
    figure = Figure(figsize=(7.2, 4.4), facecolor=PAPER, layout="constrained")
    axes = figure.subplots()
    axes.fill_between(curve.sizes, *curve.band, color=TRAINING, alpha=0.18, linewidth=0)
    axes.plot(curve.sizes, curve.by_draw, ".", color=TRAINING, alpha=0.35, markersize=4)
    axes.plot(curve.sizes, curve.value, "o-", color=TRAINING, markersize=5, label="measured, 95% band")
    ahead = [curve.at(round(factor * curve.sizes[-1])) for factor in BEYOND]
    rows = [one.rows for one in ahead]
    low, high = zip(*(one.value_ci for one in ahead), strict=True)
    axes.fill_between(rows, low, high, color=VALIDATION, alpha=0.2, linewidth=0)
    every = np.geomspace(curve.sizes[0], rows[-1], 100)
    law = 1 - curve.law.at(every, most=1 - told.least)
    axes.plot(every, law, "--", color=VALIDATION, label="power law, 95% band beyond")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if told.is_share:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("training rows", color=INK)
    axes.set_ylabel(f"{told.words} on {curve.split}", color=INK)
    axes.grid(color=VOID, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    title = f"{curve.head} on {readable(curve.dataset, 50)}\n{curve.line}"
    axes.set_title(title, loc="left", color=INK, fontsize=9, parse_math=False)
    return figure


def print_learning_curve(curve: LearningCurve, *, console: Console) -> None:
    """Prints the figure at each size, the forecast, and what more images would help most."""
    title = f"{curve.head} on {readable(curve.dataset, 60)}, {curve.split} split"
    console.print(Text(f"{title}, {counted(curve.measured.rows, 'row')}", style="bold"))
    table = Table(box=box.SIMPLE)
    told = curve.figure
    for name in ("training rows", told.words, "95% band"):
        table.add_column(name, justify="right")
    for size, value, low, high in zip(curve.sizes, curve.value, *curve.band, strict=True):
        table.add_row(f"{size:,}", told.written(value, 2), f"{told.written(low)} to {told.written(high)}")
    console.print(table)
    console.print(Text(curve.line))
    for name, one in list(curve.of_classes.items())[:MOST_CLASSES]:
        gain = told.written_gain(one.gain, one.gain_ci, of=told.of_part)
        console.print(Text(f"  {readable(name)}: {gain}"))
    if len(curve.of_classes) > MOST_CLASSES:
        console.print(Text(f"  and {len(curve.of_classes) - MOST_CLASSES:,} more in {NAME}.json"))
