"""Rows on which a sweep has little or nothing to go by."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads import notes_on_folds, split_folds
from pipeline.sweeps import candidates, sweep
from pipeline.sweeps.leaderboard import leaderboard_table, write_leaderboard

Make = Callable[..., FeatureSet]
CLASSES = ("a", "b", "c", "d")


@pytest.fixture
def make(make_features: Make) -> Make:
    """Makes rows whose features tell their labels."""

    def make(labels: list[int], split: str = "train", *, turned: int = 0) -> FeatureSet:
        features = np.eye(4, dtype=np.float32)[(np.array(labels, int) + turned) % 4]
        return make_features(features, np.array(labels, int), split=split, classes=CLASSES)

    return make


@pytest.mark.parametrize(
    ("labels", "turned", "score"),
    [
        ([0, 1] * 5, 0, 1.0),
        ([0, 1] * 5, 1, 0.0),
        ([2], 2, 0.0),
        ([0], 0, 1.0),
        ([0, -1, -1], 0, 1.0),
        ([3, 3], 0, 0),
    ],
    ids=[
        "all right",
        "none right",
        "one row, wrong",
        "one row, right",
        "one label",
        "a class without training rows",
    ],
)
def test_the_leaderboard_is_sound(
    make: Make, tmp_path: Path, labels: list[int], turned: int, score: float
) -> None:
    train, valid = make([0, 1, 2] * 5), make(labels, "val", turned=turned)
    board = sweep(candidates([("prototype", {}), ("knn", {"k": ["1"]})]), train, valid, runs=tmp_path, jobs=1)
    assert [one.score for one in board.results] == [score, score]
    _, path, _ = write_leaderboard(board)
    record = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert [one["rows"] for one in record["results"]] == [sum(label >= 0 for label in labels)] * 2
    assert leaderboard_table(board).row_count == 2


@pytest.mark.parametrize("labels", [[], [-1] * 6])
def test_val_rows_without_a_label_cannot_be_chosen_by(make: Make, tmp_path: Path, labels: list[int]) -> None:
    with pytest.raises(UsageError, match=rf"none of the {len(labels)} val rows has a label .*--cv 5"):
        sweep(candidates([("prototype", {})]), make([0, 1] * 4), make(labels, "val"), runs=tmp_path)


def test_a_rare_class_is_told_of_once_and_in_our_words(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = make([0, 1] * 5 + [2])
    folds = split_folds(features, 5, seed=0)
    assert sum(int((measure.labels == 2).sum()) for _, measure in folds) == 1
    assert notes_on_folds(features, folds) == ["fewer than 5 rows of c: some folds are not measured on them"]
    sweep(candidates([("prototype", {})]), features, None, runs=tmp_path, folds=5)
    said = capsys.readouterr().err
    assert said.startswith("note: fewer than 5 rows of c: some folds are not measured on them\n")
    assert said.count("fewer than 5 rows") == 1


@pytest.mark.parametrize(
    ("labels", "folds", "message"),
    [
        ([0, 1, 0, 1], 3, "--cv 3 is out of bounds: choose from 2 to 2"),
        ([0, 1], 2, "--cv 2 is not possible"),
        ([0], 2, "--cv 2 is not possible"),
        ([-1, -1], 2, "--cv 2 is not possible"),
    ],
)
def test_more_folds_than_rows_of_any_class_are_refused(
    make: Make, labels: list[int], folds: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        split_folds(make(labels), folds, seed=0)


def test_a_class_that_some_folds_cannot_learn_is_told(make: Make) -> None:
    features = make([0, 1, 2] * 4)
    groups = ["one" if label == 2 else "" for label in features.labels]
    features = replace(features, rows=replace(features.rows, groups=groups))
    said = ["some folds have no training rows of c: accuracy on these is 0 there"]
    assert notes_on_folds(features, split_folds(features, 2, seed=0)) == said


@pytest.mark.parametrize("folds", [None, 2])
def test_what_a_winner_does_not_find_is_told_once(
    folds: int | None, make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, alike = make([0, 1, 2] * 4), make([0, 1, 0, 3, -1], "val")
    labels = np.array([0, 1, 2, 3, -1], np.int32)
    valid = replace(alike, rows=replace(alike.rows, labels=labels))
    board = sweep(candidates([("prototype", {})]), train, valid, runs=tmp_path, folds=folds)
    assert board.winner.not_found == ("c", "d")
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")] == [
        "note: 1 row of val has no label and is not measured on",
        "note: no training rows of class d: its probability will always be 0, and so will the accuracy on "
        "its rows",
        "note: nothing was found of c in val; always answering a would have 25.00% of val right",
    ]
