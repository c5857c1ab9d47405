"""The images that the page shows: what is wrong of them, the worst first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks import Finding, Leaks, Place
from pipeline.evaluation.targets import TargetReport, evaluate_targets
from pipeline.evaluation.targets.gallery import MOST_LINES, mistakes
from pipeline.evaluation.targets.page import write_target_page
from pipeline.heads import TrainedHead

Trained = Callable[[str], TrainedHead]
MakeTargets = Callable[..., FeatureSet]
Report = Callable[..., TargetReport]


@pytest.fixture
def report(trained: Trained, make_targets: MakeTargets) -> Report:
    """Evaluates, and puts other answers and truths in place of the first rows."""

    def make(target: str, truth: list[list[float]], answers: list[list[float]]) -> TargetReport:
        found = evaluate_targets(trained(target), make_targets(target, "test", rows=12))
        rows = found.rows.take(np.arange(len(truth)))
        return replace(found, truth=np.array(truth, np.float32), answers=np.array(answers), rows=rows)

    return make


def test_labels_that_surprise_most_come_first(report: Report) -> None:
    found = report(
        "labels",
        [[1, 0], [1, 0], [0, 1], [0, np.nan], [1, 1]],
        [[0.05, 0.1], [0.9, 0.99], [0.01, 0.95], [0.0, 1.0], [0.99, 0.99]],
    )
    found = replace(found, trained=replace(found.trained, thresholds=(0.5, 0.5)))
    shown = mistakes(found)
    assert [one.id for one in shown.shown] == ["test/image1.png", "test/image0.png"]
    first, second = shown.shown
    assert [line.said for line in first.lines] == ["not there, at 99.0%"]
    assert [line.said for line in second.lines] == ["missed, at 5.0%"]
    names = found.trained.classes
    assert (second.given, second.answered) == (names[0], "none")
    assert first.answered == f"{names[0]}, {names[1]}"
    assert shown.note.startswith("2 images with a wrong label: all there are")


def test_thresholds_decide_what_is_wrong(report: Report) -> None:
    found = report("labels", [[0, 0], [1, 1]], [[0.3, 0.1], [0.3, 0.9]])
    at = {
        thresholds: [
            one.id
            for one in mistakes(replace(found, trained=replace(found.trained, thresholds=thresholds))).shown
        ]
        for thresholds in ((0.2, 0.5), (0.4, 0.5))
    }
    assert at == {(0.2, 0.5): ["test/image0.png"], (0.4, 0.5): ["test/image1.png"]}


def test_numbers_are_measured_by_their_own_spread(report: Report) -> None:
    truth = [[0, 0], [1, 1000], [2, 2000], [np.nan, np.nan]]
    found = report("number", truth, [[2.0, 10.0], [1, 1100], [2, 2000], [5, 5]])
    shown = mistakes(found).shown
    assert [one.id for one in shown] == [f"test/image{i}.png" for i in range(3)]
    assert shown[0].lines[0].said == "is 0, answered 2 (+2)"
    assert shown[1].lines[0].said == "is 1000, answered 1100 (+100)"


def test_without_a_mistake_that_is_said(report: Report) -> None:
    shown = mistakes(report("labels", [[1, 0]], [[1.0, 0.0]]))
    assert (shown.shown, shown.note) == ((), "There is no mistake on this split.")


def test_of_many_wrong_labels_some_are_told(report: Report) -> None:
    found = report("labels", [[1, 0]], [[1.0, 0.0]])
    names = tuple(f"label{i}" for i in range(10))
    found = replace(
        found,
        trained=replace(found.trained, classes=names, thresholds=()),
        truth=np.ones((1, 10), np.float32),
        answers=np.linspace(0, 0.4, 10)[None],
    )
    (one,) = mistakes(found).shown
    assert [line.name for line in one.lines] == list(names[:MOST_LINES])
    assert one.more == 10 - MOST_LINES


@pytest.mark.parametrize("target", ["labels", "number"])
def test_the_page_counts_the_data_and_tells_leaks(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    splits = {split: make_targets(target, split) for split in ("train", "val", "test")}
    pair = Finding("exact", Place("train", "train/image1.png"), Place("test", "test/image1.png"))
    report = evaluate_targets(
        trained(target), splits["test"], leaks=Leaks((pair,), checked=dict.fromkeys(splits, 60))
    )
    page: Path = report.write(page=partial(write_target_page, report, features=splits)) / "report.html"
    text = page.read_text(encoding="utf-8")
    assert "60 train, 60 val, 60 test images; 1 leak between splits" in text
    assert "train/image1.png" in text
    assert "LEAK: 1 of 59 rows" in text
    assert "Not as it stands" in text
    assert "The images are no longer where they were" in text
    assert "all images" in text
