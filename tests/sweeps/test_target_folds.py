"""Cross-validation of labels and numbers: who answers, what is chosen where, figures and their interval."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.cache import FeatureSet
from pipeline.cache.whole_set import whole_set
from pipeline.evaluation.fold_interval import interval_around
from pipeline.evaluation.targets.label_figures import measure_labels
from pipeline.evaluation.targets.number_figures import measure_numbers
from pipeline.heads import row_groups
from pipeline.images.targets import LABELS, NUMBER
from pipeline.sweeps import Candidate, candidates, cross_validation
from pipeline.sweeps.cross_validation import TargetCrossValidation, cross_validate
from pipeline.sweeps.cross_validation_files import count_looks, print_cross_validation, write_cross_validation
from pipeline.sweeps.score_interval import figure_at_once
from pipeline.sweeps.target_folds import mean_of

Make = Callable[..., FeatureSet]
FIGURE = {LABELS: "map", NUMBER: "r2"}
GRID = candidates([("knn", {"k": ["1", "9"]})])


@pytest.fixture(params=[LABELS, NUMBER])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def splits(kind: str, make_targets: Make) -> list[FeatureSet]:
    return [make_targets(kind), make_targets(kind, "test", rows=40)]


@pytest.fixture
def result(splits: list[FeatureSet]) -> TargetCrossValidation:
    found = cross_validate(GRID, whole_set(splits), folds=3, repeats=2)
    assert isinstance(found, TargetCrossValidation)
    return found


def test_every_known_image_is_answered_once_a_repeat(result: TargetCrossValidation, kind: str) -> None:
    whole = result.features
    np.testing.assert_array_equal(result.index, np.flatnonzero(whole.known))
    assert result.answers.shape == (2, len(result.index), 2)
    assert (result.fold[0] != result.fold[1]).any()
    truth = whole.targets[result.index]
    for repeat in range(2):
        rows = result.fold[repeat] == 1
        assert result.by_fold[repeat, 1] == figure_at_once(kind, truth[rows], result.answers[repeat][rows])
    if kind == LABELS:
        told = [
            measure_labels(truth, one, whole.classes, [0.5, 0.5]).mean_average_precision
            for one in result.answers
        ]
    else:
        told = [measure_numbers(truth, one, whole.classes, ()).mean("r2") for one in result.answers]
    assert result.by_repeat == told
    assert result.value == pytest.approx(np.mean(told))
    assert any("is known; what is unknown" in note for note in result.notes)


def test_no_fit_and_no_choice_sees_what_is_measured(
    kind: str, make_targets: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = make_targets(kind, rows=72, groups=24)
    groups, learnt = row_groups(features), []
    fitted, chosen, thresholds = (
        getattr(cross_validation, name) for name in ("_fitted", "_chosen", "_thresholds")
    )

    def watch(call: Callable[..., object]) -> Callable[..., object]:
        def watched(first: object, learn: FeatureSet, seed: int) -> object:
            learnt.append((call, learn.known.copy()))
            return call(first, learn, seed)

        return watched

    for name, call in (("_fitted", fitted), ("_chosen", chosen), ("_thresholds", thresholds)):
        monkeypatch.setattr(cross_validation, name, watch(call))
    result = cross_validate(GRID, features, folds=3)
    assert isinstance(result, TargetCrossValidation)
    calls = [seen for seen in learnt if seen[0] is not fitted]
    assert len(calls) == (6 if kind == LABELS else 3)
    fold = -1
    for call, known in learnt:
        fold += call is chosen
        held_out = result.index[result.fold[0] == fold]
        assert set(groups[known]).isdisjoint(groups[held_out])
    assert any("24 groups" in note for note in result.notes)


def test_thresholds_are_those_of_the_fold_of_each_image(result: TargetCrossValidation, kind: str) -> None:
    if kind == NUMBER:
        assert result.thresholds.shape == (2, len(result.index), 0)
        return
    assert result.thresholds.shape == result.answers.shape
    for limits, fold in zip(result.thresholds, result.fold, strict=True):
        assert all(len(np.unique(limits[fold == one], axis=0)) == 1 for one in range(3))
    assert len(np.unique(result.thresholds.reshape(-1, 2), axis=0)) > 1
    truth = result.rows.targets
    said = (result.answers[0] >= result.thresholds[0]) & ~np.isnan(truth)
    hits = float((said & (truth == 1)).sum())
    wanted = 2 * hits / float(said.sum() + (truth == 1).sum())
    assert result.figures[0].micro_f1 == pytest.approx(wanted)


def test_options_are_chosen_inside_each_fold(result: TargetCrossValidation) -> None:
    assert sum(times for _, times in result.times_chosen) == 6
    assert result.times_chosen[0][0].options == {"k": "9"}  # one neighbour knows nothing of noise


def test_the_files_and_the_table_say_what_was_measured(
    result: TargetCrossValidation, splits: list[FeatureSet], kind: str, tmp_path: Path
) -> None:
    figure, entry = FIGURE[kind], tmp_path / "runs" / "toy" / "entry"
    folder = write_cross_validation(result, entry)
    record = json.loads((folder / "cross-validation.json").read_text())
    cv = record["cv"]
    assert cv["target"] == kind
    assert cv[figure] == result.value
    low, high = cv[f"{figure}_ci"]
    assert low < cv[figure] < high
    assert np.shape(cv["by_fold"]) == (2, 3)
    assert "accuracy" not in json.dumps(record)
    assert len(cv["per_label" if kind == LABELS else "per_number"]) == 2
    assert "bootstrap" in record["interval"]
    with open(folder / "predictions.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(result.index)
    name = result.features.classes[0]
    column = f"p({name})" if kind == LABELS else f"predicted({name})"
    mean = result.answers.mean(axis=0)[:, 0]
    np.testing.assert_allclose([float(line[column]) for line in lines], mean)
    assert write_cross_validation(result, entry) == folder
    count_looks(result, splits, entry)
    (line,) = (entry / "evaluations.jsonl").read_text().splitlines()
    assert '"split": "test"' in line
    console = Console(width=110, record=True, file=io.StringIO())
    print_cross_validation(result, console=console)
    text = console.export_text()
    assert all(f"{one:.3f}" in text for one in result.by_fold.ravel())
    assert f"{result.value:.4f}  (95% interval {low:.4f} to {high:.4f})" in text
    assert "chosen in" in text


def test_a_fold_without_the_figure_is_told_as_such(make_targets: Make) -> None:
    features = make_targets(LABELS, rows=40)
    targets = np.where(np.isnan(features.targets), np.nan, 0).astype(np.float32)
    targets[5, 0] = 1
    rare = replace(features, rows=replace(features.rows, targets=targets))
    result = cross_validate([Candidate("knn")], rare, folds=4)
    assert np.isnan(result.by_fold).sum() == 3
    cv = result.to_json()["cv"]
    assert cv["map"] is not None
    assert cv["by_fold"][0].count(None) == 3
    console = Console(width=110, record=True, file=io.StringIO())
    print_cross_validation(result, console=console)
    assert " - " in console.export_text()


def test_the_interval_is_that_of_the_folds_and_no_narrower_than_the_bootstraps() -> None:
    by_fold = np.array([[0.6, 0.8, 0.7, 0.5, 0.9]])
    # By hand: s^2 = 0.025, (1/5 + 1/4) s^2 = 0.01125, t(4, 97.5 %) = 2.776445.
    reach = 2.776445 * 0.01125**0.5
    ends = interval_around(by_fold, 0.7, (0.65, 0.75), lowest=0.0)
    assert ends == pytest.approx((0.7 - reach, 0.7 + reach), abs=1e-6)
    assert interval_around(by_fold, 0.7, (0.1, 0.999), lowest=0.0) == (0.1, 0.999)
    assert interval_around(by_fold, 0.9, None, lowest=0.0)[1] == 1.0
    assert interval_around(by_fold - 0.7, 0.0, None, lowest=-np.inf)[0] < 0
    one = np.array([[0.6, np.nan]])
    assert interval_around(one, 0.6, (0.5, 0.7), lowest=0.0) == (0.5, 0.7)
    assert interval_around(one, 0.6, None, lowest=0.0) is None


def test_means_of_records_keep_their_form() -> None:
    records = [
        {"a": 1.0, "b": None, "c": [{"d": 2}], "e": "x"},
        {"a": 2.0, "b": 1.0, "c": [{"d": 2}], "e": "x"},
    ]
    assert mean_of(records) == {"a": 1.5, "b": None, "c": [{"d": 2}], "e": "x"}
