"""Figures as tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.evaluation.figure_lines import figure_lines
from pipeline.evaluation.figures import ClassFigures, Figures
from pipeline.images.targets import CLASS
from pipeline.wording import counted, readable

if TYPE_CHECKING:
    from pipeline.evaluation.calibrating import TemperatureEffect
    from pipeline.evaluation.comparison import Comparison
    from pipeline.evaluation.paired_tests import PairedDifference
    from pipeline.evaluation.report import Report
    from pipeline.evaluation.targets import TargetReport

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
    if report.calibration is not None:
        console.print(calibration_table(report.calibration, report.figures))
    console.print(classes_table(report.figures, most_classes=most_classes))
    count = len(report.figures.per_class)
    if count > most_classes:
        line = (
            f"These are the {most_classes} classes with the lowest F1 of {count}; metrics.json has them all."
        )
        console.print(Text(line))
    if report.trained_on is not None:
        rows = f"of these rows the head was trained on {report.trained_on:,} and chosen on"
        console.print(Text(f"{rows} {report.validated_on:,}"))
    if report.looks is not None:
        console.print(Text(report.looks.line))


def print_targets(report: TargetReport, *, console: Console) -> None:
    """Prints the notes, the figures and a line for each label or number of a report."""
    for note in report.notes:
        console.print(Text(f"! {note}", style="bold yellow"))
    console.print(Text(readable(report.subject, 70), style="bold"))
    facts = Table(box=box.SIMPLE, show_header=False)
    for name, value in report.lines.items():
        facts.add_row(Text(name), Text(value))
    console.print(facts)
    columns, lines = report.table
    table = Table(
        Column(columns[0], overflow="fold"),
        *(Column(name, justify="right", no_wrap=True) for name in columns[1:]),
        box=box.SIMPLE_HEAD,
        padding=(0, 1 if console.width > 99 else 0),
        collapse_padding=True,
        pad_edge=False,
    )
    for name, *cells in report.hardest(MOST_CLASSES):
        table.add_row(Text(readable(name, 40)), *map(Text, cells))
    console.print(table)
    if len(lines) > MOST_CLASSES:
        lowest = f"{MOST_CLASSES} {columns[0]}s with the lowest {'AP' if columns[0] == 'label' else 'R2'}"
        console.print(Text(f"These are the {lowest} of {len(lines):,}; metrics.json has them all."))
    if report.looks is not None:
        console.print(Text(report.looks.line))


def print_comparison(comparison: Comparison[Any], *, console: Console) -> None:
    """Prints the notes, a line for each head, and the heads that could not take part."""
    for note in comparison.notes:
        console.print(Text(f"! {note}", style="bold yellow"))
    best = comparison.best
    title = f"heads on {best.dataset}, {best.split} split, {counted(best.rows_measured, 'row')}"
    console.print(Text(readable(title, 90), style="bold"))
    console.print(comparison_table(comparison))
    for name, reason in comparison.skipped.items():
        console.print(Text(f"{readable(name)} left out: {readable(reason, 300)}"))
    if len(comparison.reports) > 1:
        line = (
            f"{comparison.yardstick.test} Where it is not below 0.05, these rows cannot tell the two apart."
        )
        console.print(Text(line))
    if comparison.looks is not None:
        console.print(Text(comparison.looks.line))


def figures_table(figures: Figures) -> Table:
    """Builds the table of the figures over all classes."""
    table = Table(box=box.SIMPLE, show_header=False)
    for name, value in figure_lines(figures).items():
        table.add_row(name, Text(value))
    return table


def calibration_table(calibration: TemperatureEffect, after: Figures) -> Table:
    """Builds the table of what a temperature changes."""
    before, temperature = calibration.before, calibration.temperature
    table = Table(f"temperature {temperature.value:.3f}", "before", "after", box=box.SIMPLE)
    for name, attribute in (("log-loss", "log_loss"), ("Brier score", "brier"), ("calibration error", "ece")):
        table.add_row(name, f"{getattr(before, attribute):.4f}", f"{getattr(after, attribute):.4f}")
    table.add_row("95% interval", Text(f"{temperature.low:.3f} to {temperature.high:.3f}"))
    table.add_row("fitted on", Text(f"val, {counted(temperature.rows, 'row')}"))
    return table


def comparison_table(comparison: Comparison[Any]) -> Table:
    """Builds the table of the heads, the best first; what is special of a head is below its name."""
    yardstick = comparison.yardstick
    table = Table(Column("head", overflow="fold"), box=box.SIMPLE)
    if comparison.best.target != CLASS:
        # Little between the columns, which take more here: what they take is not left for the names of heads.
        table.box, table.collapse_padding, table.pad_edge = box.SIMPLE_HEAD, True, False
    for name in (*yardstick.heading, yardstick.against, "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for report, difference in zip(comparison.reports, comparison.differences, strict=True):
        special = [*yardstick.remarks(report), *_trained_on(report.trained_on)]
        table.add_row(
            Text("\n".join([readable(report.head), *special])),
            *yardstick.cells(report),
            *_against_best(difference),
        )
    return table


def classes_table(figures: Figures, *, most_classes: int = MOST_CLASSES) -> Table:
    """Builds the table of the figures of each class: all in order, or the worst by F1.

    A dash stands for a share of nothing: the recall of a class without rows, the precision of one
    that is never predicted.
    """
    table = Table("class", box=box.SIMPLE)
    for name in ("precision", "recall", "F1", "rows", "predicted"):
        table.add_column(name, justify="right")
    for one in figures.worst(most_classes):
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


def _trained_on(rows: int | None) -> list[str]:
    if rows is None:
        return ["trained on: not known"]
    return [f"trained on {counted(rows, 'row')}"] if rows else []


def _against_best(difference: PairedDifference | None) -> tuple[str, str]:
    if difference is None:
        return "", ""
    return difference.words, "<0.0001" if difference.p_holm < 0.0001 else f"{difference.p_holm:.4f}"
