"""Cross-validation: who is answered by whom, what is chosen where, and the interval."""

from __future__ import annotations

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
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation.fold_interval import fold_interval
from pipeline.evaluation.metrics import wilson_interval
from pipeline.heads import row_groups, train_head
from pipeline.sweeps import Candidate, candidates, cross_validation
from pipeline.sweeps.cross_validation import CrossValidation, cross_validate, trained_options
from pipeline.sweeps.cross_validation_files import count_looks, print_cross_validation, write_cross_validation

Make = Callable[..., FeatureSet]
GRID = candidates([("knn", {"k": ["1", "9"]})])


@pytest.fixture
def every(train: FeatureSet, valid: FeatureSet) -> FeatureSet:
    return whole_set([train, valid])


def test_every_image_is_answered_once_a_repeat(every: FeatureSet) -> None:
    result = cross_validate([Candidate("prototype")], every, folds=5, repeats=2)
    assert result.probabilities.shape == (2, 100, 2)
    np.testing.assert_allclose(result.probabilities.sum(axis=2), 1)
    assert sorted(set(result.fold.ravel())) == list(range(5))
    assert (result.fold[0] != result.fold[1]).any()
    hits = result.probabilities.argmax(axis=2) == every.labels
    assert result.accuracy == pytest.approx(hits.mean())
    assert result.by_fold[1, 2] == hits[1][result.fold[1] == 2].mean()


def test_no_fit_sees_a_view_a_copy_or_the_group_of_what_it_answers(
    every: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = replace(every.rows, groups=["a"] * 4 + [""] * 96)
    rows.views[10:20] = 1
    rows.digests[10:20] = rows.digests[20:30]
    rows.labels[10:20] = rows.labels[20:30]
    rows.digests[99] = rows.digests[3]
    features = replace(every, rows=rows)
    groups, learnt = row_groups(features), []
    fitted = cross_validation._fitted

    def watched(candidate: Candidate, learn: FeatureSet, seed: int) -> object:
        learnt.append(set(groups[learn.labels >= 0]))
        return fitted(candidate, learn, seed)

    monkeypatch.setattr(cross_validation, "_fitted", watched)
    result = cross_validate([Candidate("prototype")], features, folds=4)
    assert len(result.index) == 90
    assert not rows.views[result.index].any()
    for number, seen in enumerate(learnt):
        assert seen.isdisjoint(groups[result.index[result.fold[0] == number]])
    assert any("90 rows belong to 86 groups" in note for note in result.notes)


def test_options_are_chosen_without_the_rows_they_are_measured_on(
    every: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    inner = cross_validation.sweep_data

    def watched(learn: FeatureSet, measure: FeatureSet, grid: list[Candidate]) -> object:
        seen.append(set(np.flatnonzero((learn.labels >= 0) | (measure.labels >= 0))))
        return inner(learn, measure, grid)

    monkeypatch.setattr(cross_validation, "sweep_data", watched)
    result = cross_validate(GRID, every, folds=3)
    assert len(seen) == 3 * cross_validation.INNER_FOLDS
    for number in range(3):
        answered = set(np.flatnonzero(result.fold[0] == number))
        for rows in seen[3 * number : 3 * number + 3]:
            assert rows == set(range(100)) - answered
    assert sum(times for _, times in result.times_chosen) == 3


def test_a_network_stops_on_rows_of_its_own_fold(every: FeatureSet, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def fit_on(data: cross_validation.TrainingData, *_: object, **__: object) -> None:
        given.append(data)

    monkeypatch.setattr(cross_validation, "fit_on", fit_on)
    learn, measure = cross_validation.split_folds(every, 4, seed=0)[0]
    cross_validation._fitted(Candidate("dense"), learn, 0)
    (data,) = given
    held = set(data.examples.index) | set(data.validation.index)
    assert held == set(np.flatnonzero(learn.labels >= 0))
    assert held.isdisjoint(np.flatnonzero(measure.labels >= 0))


def test_too_many_folds_are_refused(every: FeatureSet) -> None:
    with pytest.raises(UsageError, match="--cv 60 is out of bounds: choose from 2 to 50"):
        cross_validate([Candidate("prototype")], every, folds=60)


def test_splits_of_other_classes_are_no_whole(train: FeatureSet, valid: FeatureSet) -> None:
    with pytest.raises(CacheMismatchError, match="other classes"):
        whole_set([train, replace(valid, classes=("x", "y"))])


def test_the_whole_set_reads_what_its_splits_hold(train: FeatureSet, valid: FeatureSet) -> None:
    whole = whole_set([train, valid])
    index = np.array([99, 0, 60, 59])
    both = np.concatenate([train.features, valid.features])
    np.testing.assert_array_equal(whole.read(index), both[index])
    assert whole.split == "train+val"


def test_the_interval_is_that_of_nadeau_and_bengio_and_no_narrower_than_wilson() -> None:
    by_fold = np.array([[0.6, 0.8, 0.7, 0.5, 0.9]])
    # By hand: s^2 = 0.025, (1/5 + 1/4) s^2 = 0.01125, t(4, 97.5 %) = 2.776445.
    reach = 2.776445 * 0.01125**0.5
    low, high = fold_interval(by_fold, 0.7, 1000)
    assert (low, high) == pytest.approx((0.7 - reach, 0.7 + reach), abs=1e-6)
    assert fold_interval(np.full((3, 5), 0.9), 0.9, 50) == wilson_interval(45, 50)
    assert fold_interval(np.ones((1, 5)), 1.0, 50) == wilson_interval(50, 50)


@pytest.fixture
def result(every: FeatureSet) -> CrossValidation:
    return cross_validate(GRID, every, folds=4, repeats=2)


def test_the_files_say_what_was_measured(result: CrossValidation, tmp_path: Path) -> None:
    folder = write_cross_validation(result, tmp_path / "runs" / "toy" / "entry")
    record = json.loads((folder / "cross-validation.json").read_text())
    assert record["cv"]["accuracy"] == result.accuracy
    assert record["cv"]["accuracy_ci"] == list(result.accuracy_ci)
    assert np.shape(record["cv"]["by_fold"]) == (2, 4)
    assert record["cv"]["splits"] == ["train", "val"]
    assert sum(one["folds"] for one in record["cv"]["chosen"]) == 8
    assert len((folder / "predictions.csv").read_text().splitlines()) == 101
    assert write_cross_validation(result, tmp_path / "runs" / "toy" / "entry") == folder


def test_held_out_images_that_were_looked_at_are_counted(
    result: CrossValidation, train: FeatureSet, valid: FeatureSet, tmp_path: Path
) -> None:
    entry = tmp_path / "runs" / "toy" / "entry"
    count_looks(result, [train, valid], entry)
    (line,) = (entry / "evaluations.jsonl").read_text().splitlines()
    assert '"split": "val"' in line


def test_the_table_names_every_fold_and_what_was_chosen(result: CrossValidation) -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    print_cross_validation(result, console=console)
    text = console.export_text()
    assert all(f"{100 * one:.1f}" in text for one in result.by_fold.ravel())
    assert f"{result.accuracy:.2%}  (95% interval" in text
    assert "chosen in" in text


def test_options_are_those_of_the_trained_head(train: FeatureSet, tmp_path: Path) -> None:
    head = train_head("logreg", train, options={"C": "0.3", "class_weight": "balanced"}, runs=tmp_path)
    assert trained_options("logreg", head.folder) == Candidate(
        "logreg", {"C": "0.3", "class_weight": "balanced"}
    )
    assert trained_options("knn", tmp_path / "none") == Candidate("knn")
    plain = train_head("ridge", train, runs=tmp_path)
    assert trained_options("ridge", plain.folder) == Candidate("ridge")
