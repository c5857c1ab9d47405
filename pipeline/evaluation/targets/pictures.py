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

PRECISION_RECALL, PREDICTED, RESIDUALS = "precision_recall.png", "predicted_vs_true.png", "residuals.png"
PICTURES = {
    PRECISION_RECALL: "Precision against recall of each label",
    PREDICTED: "Answers against true values",
    RESIDUALS: "Residuals against answers",
}
"""The pictures of a report, and what each shows."""
MOST_NAMED = 10
"""Labels or numbers that are drawn in colours of their own."""
MOST_TICKS = 6
ACROSS = 3
"""Numbers that are drawn side by side."""


def draw_precision_recall(
    truth: np.ndarray, answers: np.ndarray, names: Sequence[str], *, subject: str
) -> Figure:
    """Draws a curve for each label; of many, those with the lowest average precision have a name.

    Args:
        truth: (n, k), NaN where a label is unknown.
        answers: Probabilities, float (n, k).
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
            precision, recall, _ = precision_recall_curve(column, answers[known, i])
            curves.append((average_precision_score(column, answers[known, i]), name, precision, recall))
    figure = Figure(figsize=(8, 5), facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot()
    curves.sort(key=lambda one: one[0])
    for _, _, precision, recall in curves[MOST_NAMED:]:
        axes.step(recall, precision, where="post", color=VOID, linewidth=1)
    for area, name, precision, recall in curves[:MOST_NAMED]:
        label = f"{area:.3f}  {readable(name, 24)}"
        axes.step(recall, precision, where="post", label=label)
    if curves:
        lowest = "" if len(curves) <= MOST_NAMED else f",\nthe lowest {MOST_NAMED} of {len(curves)}"
        legend = axes.legend(
            fontsize=8,
            frameon=False,
            title=f"average precision{lowest}",
            title_fontsize=8,
            alignment="left",
            loc="upper left",
            bbox_to_anchor=(1.01, 1),
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    _frame(axes, "recall", "precision", f"precision and recall of {subject}")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    return figure


def draw_predicted(truth: np.ndarray, answers: np.ndarray, names: Sequence[str], *, subject: str) -> Figure:
    """Draws answers against truth, a panel for each number, with the line of the right answers.

    Args:
        truth: (n, k), NaN where a number is unknown.
        answers: float (n, k).
        names: Of the numbers; of more than ten the first.
        subject: What was evaluated, for the title.
    """
    figure, panels = _panels(truth, answers, names, subject)
    for axes, name, true, answered in panels:
        axes.scatter(true, answered, s=_dots(len(true)), alpha=0.5, color=TRAINING, linewidths=0)
        if len(true):
            ends = [min(true.min(), answered.min()), max(true.max(), answered.max())]
            axes.plot(ends, ends, color=INK, linewidth=0.8)
        _frame(axes, "true", "answered", name)
    return figure


def draw_residuals(truth: np.ndarray, answers: np.ndarray, names: Sequence[str], *, subject: str) -> Figure:
    """Draws true value less answer against the answer, a panel for each number.

    Args:
        truth: (n, k), NaN where a number is unknown.
        answers: float (n, k).
        names: Of the numbers; of more than ten the first.
        subject: What was evaluated, for the title.
    """
    figure, panels = _panels(truth, answers, names, subject)
    for axes, name, true, answered in panels:
        axes.scatter(answered, true - answered, s=_dots(len(true)), alpha=0.5, color=TRAINING, linewidths=0)
        axes.axhline(0, color=INK, linewidth=0.8)
        _frame(axes, "answered", "true less answered", name)
    return figure


def _panels(
    truth: np.ndarray, answers: np.ndarray, names: Sequence[str], subject: str
) -> tuple[Figure, list[tuple[Axes, str, np.ndarray, np.ndarray]]]:
    """Returns a figure, and for each number its panel, its name, and truth and answers where it is known."""
    from matplotlib.figure import Figure

    shown = list(names)[:MOST_NAMED]
    columns = min(len(shown), ACROSS)
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.6 * columns, 4.2 * rows), facecolor=PAPER, layout="constrained")
    figure.suptitle(readable(subject, 70), color=INK, size=10, parse_math=False)
    panels = []
    for i, name in enumerate(shown):
        known = ~np.isnan(truth[:, i])
        axes = figure.add_subplot(rows, columns, i + 1)
        panels.append((axes, name, truth[known, i].astype(np.float64), answers[known, i]))
    return figure, panels


def _dots(rows: int) -> float:
    """Returns how large the dots of so many images are: many small ones, or few that are seen."""
    return float(np.clip(4000 / max(rows, 1), 6, 36))


def _frame(axes: Axes, across: str, up: str, title: str) -> None:
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.set_title(readable(title, 70), color=INK, size=10, parse_math=False)
    axes.locator_params(nbins=MOST_TICKS)
    axes.ticklabel_format(scilimits=(-3, 5), useMathText=True)
    axes.spines[["top", "right"]].set_visible(False)
