from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from pipeline.evaluation.calibrating import TemperatureEffect
from pipeline.evaluation.metrics import measure
from pipeline.evaluation.tables import classes_table, figures_table, print_report
from pipeline.heads import Temperature


def printed(report, *, width: int = 120, **options: int) -> str:
    file = io.StringIO()
    print_report(report, console=Console(file=file, width=width, force_terminal=False), **options)
    return file.getvalue()


def test_figures_and_classes_are_printed(make_report):
    report = make_report(("cats", "dogs"))
    text = printed(report)
    low, high = report.figures.accuracy_ci
    assert "stored on toy, test split" in text
    assert f"{report.figures.accuracy:.2%}  (95% interval {low:.2%} to {high:.2%})" in text
    for value in (report.figures.macro_f1, report.figures.log_loss):
        assert f"{value:.4f}" in text
    assert f"{report.figures.balanced_accuracy:.2%}" in text
    cats = report.figures.per_class[0]
    (line,) = (line.split() for line in text.splitlines() if line.strip().startswith("cats"))
    assert line[1:] == [
        f"{cats.precision:.3f}",
        f"{cats.recall:.3f}",
        f"{cats.f1:.3f}",
        str(cats.support),
        str(cats.predicted),
    ]


def test_notes_come_first(make_report):
    text = printed(make_report(("a", "b"), split="train"), width=300)
    assert text.startswith("! this is the training split")
    assert "! RANDOM FILTERS (random:0)" in text


def test_only_the_worst_of_many_classes_are_shown_and_a_line_says_so(make_report):
    report = make_report(tuple(f"class{i:03d}" for i in range(40)), n=400)
    text = printed(report)
    shown = [line.split()[0] for line in text.splitlines() if line.strip().startswith("class0")]
    expected = sorted(report.figures.per_class, key=lambda one: (one.f1, -one.support))[:30]
    assert shown == [one.name for one in expected]
    assert "the 30 classes with the lowest F1 of 40; metrics.json has them all" in text


def test_few_classes_stay_in_their_order(make_report):
    report = make_report(tuple(f"class{i:03d}" for i in range(30)), n=400)
    text = printed(report)
    shown = [line.split()[0] for line in text.splitlines() if line.strip().startswith("class0")]
    assert shown == list(report.figures.classes)
    assert "lowest F1" not in text


def test_a_share_of_nothing_is_a_dash():
    figures = measure(np.array([0, 0, 1]), np.eye(4)[[0, 2, 0]], "abcd")
    console = Console(file=io.StringIO(), width=80)
    console.print(classes_table(figures))
    cells = [line.split() for line in console.file.getvalue().splitlines() if line.strip()]
    assert cells[-4:] == [
        ["a", "0.500", "0.500", "0.500", "2", "2"],
        ["b", "-", "0.000", "0.000", "1", "0"],
        ["c", "0.000", "-", "-", "0", "1"],
        ["d", "-", "-", "-", "0", "0"],
    ]


def test_classes_without_rows_are_never_the_worst():
    figures = measure(np.array([0, 1]), np.eye(3)[[0, 2]], ["good", "bad", "absent"])
    table = classes_table(figures, most_classes=2)
    assert [str(cell) for cell in table.columns[0].cells] == ["bad", "good"]


@pytest.mark.parametrize("force_terminal", [False, True])
def test_hostile_names_are_printed_as_text(make_report, hostile, force_terminal):
    report = make_report(hostile, dataset="[blink]data[/blink]\x1b]0;title\x07")
    file = io.StringIO()
    print_report(report, console=Console(file=file, width=200, force_terminal=force_terminal))
    text = file.getvalue()
    assert "[bold red]markup[/] :smile: �[31mescape" in text
    assert "[blink]data[/blink]�]0;title�" in text
    assert "two lines and a tab" in text
    assert "\x1b[31m" not in text
    assert "\x07" not in text
    text.encode("utf-8")


def test_intervals_stand_beside_their_figures(make_report):
    report = make_report(tuple("abcdef"), n=90)
    text = printed(report)
    low, high = report.figures.intervals["mcc"]
    assert f"{report.figures.mcc:.4f}  ({low:.4f} to {high:.4f})" in text
    assert f"top 3               {report.figures.top_k[3]:.2%}" in text
    assert "this is evaluation 1 on the test split of this entry, 1 head" in text


def test_what_is_undefined_is_a_dash():
    figures = measure(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]]), "ab")
    console = Console(file=io.StringIO(), width=80)
    console.print(figures_table(figures))
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["ROC", "AUC", "-"] in lines
    assert ["macro", "F1", "1.0000"] in lines


def test_what_a_temperature_changes_is_printed(make_report):
    report = make_report(("a", "b"))
    before = measure(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), "ab")
    calibration = TemperatureEffect(Temperature(value=1.5, low=1.25, high=1.75, rows=1234), before)
    changed = dataclasses.replace(report, calibration=calibration)
    lines = [line.split() for line in printed(changed).splitlines()]
    assert ["temperature", "1.500", "before", "after"] in lines
    assert ["log-loss", f"{before.log_loss:.4f}", f"{report.figures.log_loss:.4f}"] in lines
    assert ["95%", "interval", "1.250", "to", "1.750"] in lines
    assert ["fitted", "on", "val,", "1,234", "rows"] in lines
