"""Pictures of labels and numbers: precision against recall, and answers against truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.plots import INK, PAPER, TRAINING, VOID
from pipeline.wording import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 10
"""Labels or numbers that are drawn in colours of their own."""


def draw_precision_recall(
    truth: np.ndarray, scores: np.ndarray, names: Sequence[str], *, subject: str
) -> Figure:
    """Draws a curve for each label; of many, those with the lowest average precision have a name.

    Args:
        truth: (n, k), NaN where a label is unknown.
        scores: float (n, k).
        names: Of the labels.
        subject: What was evaluated, for the title.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import average_precision_score, precision_recall_curve

    curves = []
    for i, name in enumerate(names):
        known = ~np.isnan(truth[:, i])
        column = truth[known, i]
        if 0 < column.sum() < len(column):
            precision, recall, _ = precision_recall_curve(column, scores[known, i])
            curves.append((average_precision_score(column, scores[known, i]), name, precision, recall))
    figure = Figure(figsize=(6.4, 5), facecolor=PAPER)
    axes = figure.add_subplot()
    for place, (area, name, precision, recall) in enumerate(sorted(curves, key=lambda one: one[0])):
        label = f"{readable(name, 24)}  {area:.3f}" if place < MOST_NAMED else None
        axes.step(recall, precision, where="post", label=label, color=None if label else VOID)
    if curves:
        axes.legend(fontsize=8, frameon=False, title="average precision")
    _frame(axes, "recall", "precision", f"precision and recall of {subject}")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    return figure


def draw_numbers(truth: np.ndarray, answers: np.ndarray, names: Sequence[str], *, subject: str) -> Figure:
    """Draws answers against truth, and residuals against answers, a row for each number.

    Args:
        truth: (n, k), NaN where a number is unknown.
        answers: float (n, k).
        names: Of the numbers; of more than ten the first.
        subject: What was evaluated, for the title.
    """
    from matplotlib.figure import Figure

    shown = list(names)[:MOST_NAMED]
    figure = Figure(figsize=(9, 4.2 * len(shown)), facecolor=PAPER, layout="constrained")
    places = figure.subplots(len(shown), 2, squeeze=False)
    for i, name in enumerate(shown):
        known = ~np.isnan(truth[:, i])
        true, answered = truth[known, i], answers[known, i]
        left, right = places[i]
        left.scatter(true, answered, s=8, alpha=0.5, color=TRAINING, linewidths=0)
        ends = [min(true.min(), answered.min()), max(true.max(), answered.max())] if len(true) else [0, 1]
        left.plot(ends, ends, color=INK, linewidth=0.8)
        _frame(left, f"true {readable(name, 24)}", "answered", subject)
        right.scatter(answered, true - answered, s=8, alpha=0.5, color=TRAINING, linewidths=0)
        right.axhline(0, color=INK, linewidth=0.8)
        _frame(right, "answered", "true less answered", "residuals")
    return figure


def _frame(axes: Axes, across: str, up: str, title: str) -> None:
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.set_title(readable(title, 70), color=INK, size=10)
    axes.spines[["top", "right"]].set_visible(False)
