"""Figures as tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.evaluation.metrics import ClassFigures, Figures
from pipeline.evaluation.names import readable

if TYPE_CHECKING:
    from pipeline.evaluation import Report

MOST_CLASSES = 30


def print_report(report: Report, *, console: Console, most_classes: int = MOST_CLASSES) -> None:
    """Prints the notes, the figures and a line for each class of a report.

    Names are passed to rich as :class:`~rich.text.Text`, which knows neither markup nor emoji codes.

    Args:
        report: What to print.
        console: Where to print it.
        most_classes: Above this number only the classes with the lowest F1 are shown.
    """
    for note in report.notes:
        console.print(Text(f"! {note}", style="bold yellow"))
    console.print(Text(readable(report.subject, 70), style="bold"))
    console.print(figures_table(report.figures))
    console.print(classes_table(report.figures, most_classes=most_classes))
    count = len(report.figures.per_class)
    if count > most_classes:
        line = (
            f"These are the {most_classes} classes with the lowest F1 of {count}; metrics.json has them all."
        )
        console.print(Text(line))


def figures_table(figures: Figures) -> Table:
    """Builds the table of the figures over all classes."""
    low, high = figures.accuracy_ci
    rows = {
        "accuracy": f"{figures.accuracy:.2%}  (95% interval {low:.2%} to {high:.2%})",
        "balanced accuracy": f"{figures.balanced_accuracy:.2%}",
        "macro F1": f"{figures.macro_f1:.4f}",
        "log-loss": f"{figures.log_loss:.4f}",
        "rows": f"{figures.n:,}" + (f"  (+ {figures.unlabelled:,} unlabelled)" if figures.unlabelled else ""),
    }
    table = Table(box=box.SIMPLE, show_header=False)
    for name, value in rows.items():
        table.add_row(name, Text(value))
    return table


def classes_table(figures: Figures, *, most_classes: int = MOST_CLASSES) -> Table:
    """Builds the table of the figures of each class: all in order, or the worst by F1.

    A dash stands for a share of nothing: the recall of a class without rows, the precision of one
    that is never predicted.
    """
    shown = figures.per_class
    table = Table("class", box=box.SIMPLE)
    for name in ("precision", "recall", "F1", "rows", "predicted"):
        table.add_column(name, justify="right")
    if len(shown) > most_classes:
        # Classes without rows have no F1 to be bad at; the larger of two equally bad ones costs more.
        shown = sorted(shown, key=lambda one: (one.support == 0, one.f1, -one.support))[:most_classes]
    for one in shown:
        table.add_row(Text(readable(one.name)), *_cells(one))
    return table


def _cells(one: ClassFigures) -> tuple[str, ...]:
    return (
        f"{one.precision:.3f}" if one.predicted else "-",
        f"{one.recall:.3f}" if one.support else "-",
        f"{one.f1:.3f}" if one.support else "-",
        f"{one.support:,}",
        f"{one.predicted:,}",
    )
