"""Sweeps: many heads on the same rows, chosen on val, never on test."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation.metrics import wilson_interval
from pipeline.heads import load_head, row_groups, split_folds
from pipeline.sweeps import _identity as sweep_identity
from pipeline.sweeps import candidates, sweep
from pipeline.sweeps import results as results_module
from pipeline.sweeps.leaderboard import leaderboard_table, write_leaderboard
from pipeline.sweeps.results import Result, ResultStore, joined, ranked

Make = Callable[..., FeatureSet]
WANTED = candidates([("logreg", {"C": ["1e-6", "1"]}), ("knn", {"k": ["1", "3"]}), ("prototype", {})])


def test_the_best_on_val_is_saved_with_the_figures_of_its_own_answers(
    train: FeatureSet, rows: Make, make_features: Make, tmp_path: Path
) -> None:
    drawn = rows(40, "val", seed=1)  # val has moments of its own
    valid = make_features(1.5 * drawn.features + 0.5, drawn.labels, split="val")
    board = sweep(WANTED, train, valid, runs=tmp_path, jobs=2)
    scores = [one.score for one in board.results]
    assert len(scores) == len(WANTED)
    assert scores == sorted(scores, reverse=True)
    assert all(one.rows == 40 and one.bytes > 0 and one.log_loss > 0 for one in board.results)
    assert board.chosen_on == "val"
    best = board.results[0]
    saved = load_head(board.winner.folder)
    assert saved.name == best.head
    proba = saved.predict_proba(valid)
    assert np.mean(proba.argmax(axis=1) == valid.labels) == best.score
    assert -np.log(proba[np.arange(40), valid.labels]).mean() == pytest.approx(best.log_loss, rel=1e-4)


def test_of_equal_scores_the_lower_log_loss_comes_first_and_what_failed_last() -> None:
    one = {name: Result(name, name, {}, score=0.5, log_loss=0.2, seconds=2.0) for name in "abc"}
    wanted = [
        Result("best", "x", {}, score=0.6, log_loss=0.9, seconds=9.0),
        replace(one["c"], log_loss=0.1),
        replace(one["a"], seconds=1.0),
        one["b"],
        Result("right nowhere", "x", {}, score=0.0, log_loss=3.0),
        Result("failed", "x", {}, problem="no"),
    ]
    assert ranked(wanted[::-1]) == wanted


def test_a_row_counts_the_same_in_whatever_fold_it_stands() -> None:
    parts = [
        Result("k", "x", {}, 1.0, (1.0,), log_loss=0.1, rows=30, seconds=1, bytes=5),
        Result("k", "x", {}, 0.4, (0.4,), log_loss=0.5, rows=10, seconds=2, bytes=9),
    ]
    whole = joined(parts)
    assert (whole.score, whole.log_loss) == pytest.approx((34 / 40, 8 / 40))
    assert (whole.scores, whole.rows, whole.seconds, whole.bytes) == ((1.0, 0.4), 40, 3, 9)
    failed = joined([parts[0], Result("k", "x", {}, problem="no", seconds=4)])
    assert failed == Result("k", "x", {}, problem="no", seconds=5)


def test_the_number_of_workers_changes_nothing(train: FeatureSet, valid: FeatureSet, tmp_path: Path) -> None:
    one = sweep(WANTED, train, valid, runs=tmp_path / "1", jobs=1)
    two = sweep(WANTED, train, valid, runs=tmp_path / "2", jobs=2)
    assert [(r.key, r.score) for r in one.results] == [(r.key, r.score) for r in two.results]


def test_resuming_fits_only_what_is_missing(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []
    original = results_module.ResultStore.save
    monkeypatch.setattr(
        results_module.ResultStore, "save", lambda store, one: saved.append(one.key) or original(store, one)
    )
    sweep(WANTED[:2], train, valid, runs=tmp_path, jobs=1)
    assert len(saved) == 2
    board = sweep(WANTED, train, valid, runs=tmp_path, jobs=1, resume=True)
    assert len(saved) == len(WANTED)
    assert len(board.results) == len(WANTED)
    sweep(WANTED[:1], train, valid, runs=tmp_path, jobs=1)
    assert len(saved) == len(WANTED) + 1


def test_results_of_other_rows_or_another_way_are_not_taken_up(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path
) -> None:
    def other(part: FeatureSet, **changes: object) -> FeatureSet:
        return replace(part, **changes)

    def relabelled(part: FeatureSet) -> FeatureSet:
        return other(part, rows=replace(part.rows, labels=1 - part.labels))

    grouped = other(train, rows=replace(train.rows, groups=[str(i // 4) for i in range(60)]))
    ways = [
        ([(train, valid)], 0),
        ([(other(train, crc32=train.crc32 + 1), valid)], 0),
        ([(train, other(valid, crc32=valid.crc32 + 1))], 0),
        ([(relabelled(train), valid)], 0),
        ([(train, relabelled(valid))], 0),
        ([(other(train, spec=replace(train.spec, image_size=151)), valid)], 0),
        ([(train, valid)], 1),
        *((split_folds(train, folds, seed=seed), 0) for folds, seed in ((3, 0), (4, 0), (3, 1))),
        (split_folds(grouped, 3, seed=0), 0),
    ]
    assert len({sweep_identity(*way) for way in ways}) == len(ways)
    assert sweep_identity(*ways[0]) == sweep_identity([(train, other(valid, path=tmp_path))], 0)

    mine = ResultStore(tmp_path / "sweep" / "results", sweep_identity(*ways[0]))
    mine.start(resume=False)
    mine.save(Result("k", "x", {"C": "1"}, 0.5, (0.5,), 0.25, rows=40, seconds=1.5, bytes=7))
    mine.save(Result("f", "x", {}, problem="no"))
    for store, kept in ((mine, ["k"]), (ResultStore(mine.folder, sweep_identity(*ways[1])), [])):
        assert list(store.start(resume=True)) == kept


def test_a_head_that_fails_does_not_end_the_sweep(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path
) -> None:
    board = sweep(candidates([("cnn", {}), ("prototype", {})]), train, valid, runs=tmp_path, jobs=1)
    assert [one.head for one in board.results] == ["prototype", "cnn"]
    assert "learns from the images themselves" in board.results[1].problem
    with pytest.raises(PipelineError, match=r"every candidate failed; the first: cnn: head 'cnn'"):
        sweep(candidates([("cnn", {})]), train, valid, runs=tmp_path, jobs=1)


def test_without_val_it_asks_for_folds(train: FeatureSet, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no val split to choose on: add --cv 5"):
        sweep(WANTED, train, None, runs=tmp_path)


def test_cross_validation_measures_every_row_once(train: FeatureSet, tmp_path: Path) -> None:
    board = sweep(WANTED[:3], train, None, runs=tmp_path, folds=4, jobs=1)
    assert board.chosen_on == "4 folds of train"
    assert all(len(one.scores) == 4 and one.rows == 60 for one in board.results)


def test_the_winner_of_folds_has_seen_all_training_rows(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path
) -> None:
    for folds, counts in ((3, (60, 0)), (None, (60, 40))):
        board = sweep(
            WANTED[:2], train, None if folds else valid, runs=tmp_path / str(folds), folds=folds, jobs=1
        )
        assert load_head(board.winner.folder).seen.counts == counts


def test_folds_keep_views_and_copies_together(make_features: Make) -> None:
    features = make_features(np.zeros((12, 2), np.float32), np.arange(12) // 6)
    features.rows.digests[1::2] = features.rows.digests[::2]
    features.rows.views[1::2] = 1
    groups = row_groups(features)
    assert len(set(groups)) == 6
    seen = []
    for learn, measure in split_folds(features, 3, seed=0):
        learnt, measured = (set(groups[part.labels >= 0]) for part in (learn, measure))
        assert not learnt & measured
        assert not features.rows.views[measure.labels >= 0].any()
        seen += np.flatnonzero(measure.labels >= 0).tolist()
    assert sorted(seen) == list(range(0, 12, 2))


def test_a_copy_in_another_group_joins_the_two(make_features: Make) -> None:
    features = make_features(np.zeros((6, 2), np.float32), [0, 1] * 3)
    features = replace(features, rows=replace(features.rows, groups=["a", "a", "b", "b", "", ""]))
    assert len(set(row_groups(features))) == 4
    features.rows.digests[2] = features.rows.digests[1]
    features.rows.digests[4] = features.rows.digests[3]
    groups = row_groups(features)
    assert len(set(groups[:5])) == 1
    assert len(set(groups)) == 2


@pytest.mark.parametrize("count", [1, 7])
def test_folds_out_of_bounds_are_refused(make_features: Make, count: int) -> None:
    features = make_features(np.zeros((6, 2), np.float32), [0, 0, 0, 1, 1, 1])
    with pytest.raises(UsageError, match=f"--cv {count} is out of bounds: choose from 2 to 3"):
        split_folds(features, count, seed=0)


def test_the_leaderboard_is_written_three_times(train: FeatureSet, valid: FeatureSet, tmp_path: Path) -> None:
    board = sweep(candidates([("cnn", {}), ("prototype", {})]), train, valid, runs=tmp_path, jobs=1)
    table, described, picture = write_leaderboard(board)
    with open(table, newline="") as file:
        assert [row["head"] for row in csv.DictReader(file)] == ["prototype", "cnn"]
    first, failed = json.loads(described.read_text())["results"]
    best = board.results[0]
    assert (first["rank"], first["score"], first["rows"]) == (1, best.score, 40)
    assert (first["low"], first["high"]) == wilson_interval(round(40 * best.score), 40)
    assert (failed["rank"], failed["score"], failed["low"], failed["high"]) == (2, None, None, None)
    with Image.open(picture) as image:
        assert len(image.getcolors(1 << 20)) > 10
    assert leaderboard_table(board).row_count == 2
