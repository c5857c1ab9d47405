from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.evaluation import measure
from pipeline.evaluation.leaks.findings import KINDS, Finding, Leaks, Place
from pipeline.evaluation.page.confusions import class_bars, matrix, worst_pairs
from pipeline.evaluation.page.curves import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    diagram,
    learning_curves,
    ticks,
)
from pipeline.evaluation.page.facts import main_figures, other_figures
from pipeline.evaluation.page.pictures import MEANING, kinds_of_leaks, least_certain, worst_mistakes
from pipeline.evaluation.page.rankings import sweep_results, trained_heads


def test_the_gallery_shows_the_surest_mistakes_and_the_closest_calls(make_case):
    report = make_case(tuple("abc"), n=80, unlabelled=5).report
    labels, best = report.rows.labels, report.probabilities.argmax(axis=1)
    wrong = (labels >= 0) & (labels != best)
    mistakes = worst_mistakes(report, most=3)
    assert [one.guesses[0][1] for one in mistakes] == sorted(report.probabilities[wrong].max(axis=1))[:-4:-1]
    assert all(one.right is False and one.truth != one.guesses[0][0] for one in mistakes)
    margins = np.diff(np.sort(report.probabilities, axis=1)[:, -2:], axis=1)[:, 0]
    doubts = least_certain(report, most=80)
    assert [one.guesses[0][1] - one.guesses[1][1] for one in doubts] == pytest.approx(sorted(margins))
    assert sum(one.right is None for one in doubts) == 5


def test_the_matrix_of_few_classes_is_whole():
    figures = measure(np.array([0, 0, 1, 2]), np.eye(4)[[0, 1, 1, 2]], "abcd")
    found = matrix(figures)
    assert found.names == ("a", "b", "c", "d")
    assert [[cell.rows for cell in cells] for _, _, cells in found.lines] == figures.confusion.tolist()
    assert [cell.share for cell in found.lines[0][2]] == [0.5, 0.5, 0, 0]
    assert [cell.share for cell in found.lines[3][2]] == [None] * 4  # there is no d to take for something
    assert found.lines[0][2][0].hit
    assert not found.lines[0][2][1].hit


def test_of_many_classes_those_confused_most_are_shown_and_no_row_is_lost():
    labels = np.repeat(np.arange(40), 10)
    guesses = labels.copy()
    guesses[300:306] = 17  # six of class 30
    figures = measure(labels, np.eye(40)[guesses], [f"class {i}" for i in range(40)])
    found = matrix(figures, most=5)
    assert {"class 17", "class 30"} <= set(found.names)
    assert (len(found.lines), found.names[-1], found.left_out) == (5, "all others", 35)
    assert all(sum(cell.rows for cell in cells) == support == 10 for _, support, cells in found.lines)
    (worst,) = worst_pairs(figures)
    assert (worst.truth, worst.predicted, worst.rows, worst.share) == ("class 30", "class 17", 6, 0.6)


def test_bars_of_many_classes_are_those_of_the_worst():
    labels = np.repeat(np.arange(40), 10)
    guesses = labels.copy()
    guesses[300:306] = 17
    bars = class_bars(measure(labels, np.eye(41)[guesses], [f"class {i}" for i in range(41)]), most=2)
    assert [bar.name for bar in bars] == ["class 30", "class 17"]
    low, high = bars[0].interval
    assert 0 < low < 0.4 < high < 1


def test_curves_stay_inside_their_frame_and_have_gaps_where_a_value_is_none():
    history = {"loss": [2.0, 1.0, float("nan"), 0.5], "val_loss": [1.5, 1.1, 0.9, 1.0], "accuracy": []}
    (chart,) = learning_curves(history)
    assert chart.title == "loss"
    assert chart.best_epoch == 3
    training, validation = chart.series
    assert (training.path.count("M"), validation.path.count("M")) == (2, 1)
    assert (training.last, validation.last) == (0.5, 1.0)
    assert [text for _, text in chart.x_ticks] == ["1", "2", "3", "4"]
    for place, _ in chart.x_ticks:
        assert LEFT <= place <= WIDTH - RIGHT
    for place, _ in chart.y_ticks:
        assert TOP <= place <= HEIGHT - BOTTOM


@pytest.mark.parametrize(
    "history",
    [{}, {"loss": []}, {"loss": [float("nan")] * 3}, {"penalty": [1.0]}, {"loss": [float("inf"), None]}],
)
def test_a_history_without_values_has_no_curves(history):
    assert learning_curves(history) == []


@pytest.mark.parametrize("values", [[1.0], [0.5, 0.5], [0.0], [1e-9, 2e-9], [-3.0, 1e12]])
def test_odd_curves_are_drawn(values):
    (chart,) = learning_curves({"loss": values})
    assert "nan" not in chart.series[0].path
    assert chart.y_ticks


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.013, 0.97), (1, 14), (3, 3), (-2e-7, 5e3)])
def test_ticks_are_few_round_and_cover_the_range(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 8
    slack = 1e-6 * (found[1] - found[0])  # a millionth of a tick is no pixel
    assert found[0] - slack <= low <= high <= found[-1] + slack
    assert np.allclose(np.diff(found), found[1] - found[0])


def test_a_head_as_sure_as_it_is_right_lies_on_the_line(predict):
    figures = measure(*predict(3, 400), "abc")
    found = diagram(figures.reliability)
    assert len(found.dots) == len(figures.reliability)
    for dot in found.dots:
        assert dot.high <= dot.y <= dot.low  # the page counts downwards
        assert LEFT <= dot.x <= WIDTH - RIGHT
    assert [text for _, text in found.x_ticks][-1] == "100%"


@pytest.mark.parametrize("k", [2, 10])
def test_every_figure_is_told_with_its_interval(predict, k):
    figures = measure(*predict(k, 100), [f"c{i}" for i in range(k)])
    first = main_figures(figures)
    assert [one.name for one in first] == ["accuracy", "balanced accuracy", "macro F1", "log-loss"]
    assert all(one.interval for one in first)
    others = other_figures(figures)
    assert {"Matthews correlation", "Brier score", "calibration error"} <= {one.name for one in others}
    assert ("top-5 accuracy" in {one.name for one in others}) == (k > 5)


def test_undefined_figures_are_called_so():
    figures = measure(np.zeros(5, int), np.full((5, 2), 0.5), "ab")
    assert "undefined" in [one.value for one in other_figures(figures) if one.name == "ROC AUC"]


def test_heads_are_ranked_by_what_they_may_be_chosen_on(make_case):
    report = make_case(("a", "b")).report
    for name, val_accuracy in (("good", 0.9), ("bad", 0.2), ("unchecked", None)):
        folder = report.run.parent / name
        (folder / "test").mkdir(parents=True)
        record = {"name": name, "val_accuracy": val_accuracy, "seconds": 1.0}
        (folder / "head.json").write_text(json.dumps(record))
    figures = {"accuracy": 0.99, "accuracy_ci": [0.9, 1.0], "log_loss": 0.1}
    (report.run.parent / "bad" / "test" / "metrics.json").write_text(json.dumps(figures))
    found = trained_heads(report)
    assert [one.head for one in found] == ["good", "bad", "stored", "unchecked"]
    assert [one.accuracy for one in found] == [None, 0.99, report.figures.accuracy, None]
    assert [one.current for one in found] == [False, False, True, False]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": 3}', '{"results": [{"score": 1}]}', "\x00"])
def test_damaged_files_of_others_are_left_out(make_case, text):
    report = make_case(("a", "b")).report
    for path in ("sweep/leaderboard.json", "other/head.json"):
        (report.run.parent / path).parent.mkdir()
        (report.run.parent / path).write_text(text)
    assert [one.head for one in trained_heads(report)] == ["stored"]
    assert sweep_results(report) is None


def test_leaks_are_grouped_by_kind_and_counted():
    pairs = [Place("train", f"a{i}", "cats") for i in range(5)], [Place("test", f"b{i}") for i in range(5)]
    findings = [Finding("near", one, two, 0.99) for one, two in zip(*pairs, strict=True)]
    leaks = Leaks((Finding("exact", pairs[0][0], pairs[1][0]), *findings))
    exact, near = kinds_of_leaks(leaks, most=2)
    assert (exact.kind, exact.count, len(exact.pairs)) == ("exact", 1, 1)
    assert (near.kind, near.count, len(near.pairs)) == ("near", 5, 2)
    assert near.pairs[0].value == "cosine 0.9900"
    assert (near.pairs[0].first.label, near.pairs[0].second.label) == ("cats", "")


def test_every_kind_of_leak_is_explained():
    assert set(MEANING) == set(KINDS)
