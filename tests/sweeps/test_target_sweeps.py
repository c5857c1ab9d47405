"""Sweeps over several labels and over numbers: what ranks, what is kept, what the winner knows."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation.targets import evaluate_targets
from pipeline.heads import load_head, measured, split_folds
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.target_figures import loss, score
from pipeline.heads._core.targets import heads_for
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.sweeps import _identity as sweep_identity
from pipeline.sweeps import candidates, learning, preset, sweep
from pipeline.sweeps.leaderboard import leaderboard_table, write_leaderboard
from pipeline.sweeps.results import Result, ResultStore, joined

Make = Callable[..., FeatureSet]
WANTED = candidates([("ridge", {"alpha": ["0.001", "1"]}), ("knn", {"k": ["1", "9"]})])
KINDS = {LABELS: ("map", "log_loss"), NUMBER: ("r2", "mae")}


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_by_the_figure_of_the_kind_is_saved(kind: str, make_targets: Make, tmp_path: Path) -> None:
    train, valid = make_targets(kind), make_targets(kind, "val", rows=45)
    board = sweep(WANTED, train, valid, runs=tmp_path, jobs=2)
    scores = [one.score for one in board.results]
    assert len(scores) == len(WANTED)
    assert scores == sorted(scores, reverse=True)
    assert 0.3 < scores[-1] < scores[0] < 1
    best, (figure, tie_break) = board.results[0], KINDS[kind]
    saved = load_head(board.winner.folder)
    rows = select_all(valid)
    answers = saved.answer(rows)
    assert board.figure == best.figure == figure
    assert saved.val_figure == (figure, best.score)
    assert best.score == pytest.approx(score(kind, rows.targets, answers))
    assert getattr(best, tie_break) == pytest.approx(loss(kind, rows.targets, answers))
    assert saved.thresholds == pytest.approx(measured(saved, valid).thresholds)
    assert len(saved.thresholds) == (2 if kind == LABELS else 0)
    assert best.interval == pytest.approx(evaluate_targets(saved, valid).figures.intervals[figure])


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_workers_changes_nothing(kind: str, make_targets: Make, tmp_path: Path) -> None:
    train, valid = make_targets(kind), make_targets(kind, "val")
    boards = [sweep(WANTED, train, valid, runs=tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2)]
    one, two = ([replace(result, seconds=0.0) for result in board.results] for board in boards)
    assert one == two


def test_ties_are_broken_by_what_is_known_of_the_targets() -> None:
    truth = np.array([[1, 0], [0, np.nan], [np.nan, 1]], np.float32)
    answers = np.array([[0.9, 0.2], [0.5, 0.0], [0.0, 0.5]])
    wanted = -np.log([0.9, 0.8, 0.5, 0.5]).mean()
    assert loss(LABELS, truth, answers) == pytest.approx(wanted)
    assert loss(NUMBER, truth, answers) == pytest.approx(((0.1 + 0.5) / 2 + (0.2 + 0.5) / 2) / 2)
    assert loss(CLASS, np.array([0, 1, 0]), np.array([[0.5, 0.5], [0, 1], [1, 0]])) == pytest.approx(
        -math.log(0.5) / 3
    )


@pytest.mark.parametrize("kind", KINDS)
def test_with_folds_the_score_is_the_mean_of_the_folds(
    kind: str, make_targets: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = make_targets(kind, rows=90)
    board = sweep(WANTED[:3], train, None, runs=tmp_path, folds=3, jobs=1)
    assert board.chosen_on == "3 folds of train"
    sizes = [int(measure.known.sum()) for _, measure in split_folds(train, 3, seed=0)]
    for one in board.results:
        assert one.score == pytest.approx(np.average(one.scores, weights=sizes))
        assert one.rows == sum(sizes)
        low, high = one.interval
        assert low < one.score < high
    assert board.winner.val_figure is None
    assert ("answered from 50 % on" in capsys.readouterr().err) == (kind == LABELS)
    with_val = sweep(WANTED[:1], train, make_targets(kind, "val"), runs=tmp_path, folds=3, jobs=1)
    assert with_val.winner.val_figure is not None
    assert len(with_val.winner.thresholds) == (2 if kind == LABELS else 0)


def test_the_interval_of_folds_adds_up_distances_by_their_squares() -> None:
    base = Result("k", "x", {}, rows=30, figure="map", log_loss=0.1)
    parts = [
        replace(base, score=0.8, scores=(0.8,), ends=(0.7, 0.9)),
        replace(base, score=0.6, scores=(0.6,), ends=(0.4, 0.7), rows=10),
    ]
    whole = joined(parts)
    assert whole.score == pytest.approx(0.75)
    below, above = math.hypot(0.75 * 0.1, 0.25 * 0.2), math.hypot(0.75 * 0.1, 0.25 * 0.1)
    assert whole.interval == pytest.approx((0.75 - below, 0.75 + above))
    assert joined([parts[0], replace(parts[1], ends=None)]).interval is None


def test_groups_are_drawn_whole_for_the_interval(make_targets: Make, tmp_path: Path) -> None:
    train = make_targets(LABELS)
    widths = []
    for groups in (0, 12):
        board = sweep(WANTED[-1:], train, make_targets(LABELS, "val", groups=groups), runs=tmp_path, jobs=1)
        low, high = board.results[0].interval
        widths.append(high - low)
    assert widths[0] != widths[1]
    few = sweep(WANTED[-1:], train, make_targets(LABELS, "val", groups=5), runs=tmp_path, jobs=1)
    assert few.results[0].interval is None
    assert "0." in few._repr_html_()
    assert leaderboard_table(few).row_count == 1
    assert len(write_leaderboard(few)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_other_targets_are_not_taken_up(kind: str, make_targets: Make, tmp_path: Path) -> None:
    train, valid = make_targets(kind), make_targets(kind, "val")
    values = train.targets.copy()
    values[0, 0] = 1 - values[0, 0]
    others = [
        (replace(train, rows=replace(train.rows, targets=values)), valid),
        (train, replace(valid, rows=replace(valid.rows, targets=np.full_like(valid.targets, np.nan)))),
        tuple(replace(part, target=LABELS if kind == NUMBER else NUMBER) for part in (train, valid)),
    ]
    identities = {sweep_identity([pair], 0) for pair in [(train, valid), *others]}
    assert len(identities) == 4
    sweep(WANTED[:2], train, valid, runs=tmp_path, jobs=1)
    store = ResultStore(next(tmp_path.glob("*/*/sweep/results")), sweep_identity([(train, valid)], 0))
    kept = store.start(resume=True)
    assert set(kept) == {one.key for one in WANTED[:2]}
    assert all(one.figure == KINDS[kind][0] and one.interval for one in kept.values())
    assert ResultStore(store.folder, sweep_identity([others[0]], 0)).start(resume=True) == {}


def test_a_resumed_sweep_has_the_same_board(make_targets: Make, tmp_path: Path) -> None:
    train, valid = make_targets(NUMBER), make_targets(NUMBER, "val")
    first = sweep(WANTED, train, valid, runs=tmp_path, jobs=1)
    again = sweep(WANTED, train, valid, runs=tmp_path, jobs=1, resume=True)
    assert again.results == first.results
    assert again.winner.val_figure == pytest.approx(first.winner.val_figure)


def test_files_of_classes_have_nothing_of_targets(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "sweep" / "results", "identity")
    store.start(resume=False)
    store.save(Result("k", "x", {"C": "1"}, 0.5, (0.5,), 0.25, rows=40, seconds=1.5, bytes=7))
    record = json.loads((store.folder / "k.json").read_text())
    own = ["identity", "key", "head", "options", "score", "scores", "log_loss", "rows", "seconds", "bytes"]
    assert list(record) == ["schema", *own, "problem", "seal"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_preset_leaves_out_what_does_not_learn_the_kind_and_says_so(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    full = preset("full")
    kept = {one.head for one in learning(full, kind)}
    left_out = {one.head for one in full} - kept
    assert kept == {one.head for one in full} & set(heads_for(kind))
    told = capsys.readouterr().err
    assert all(name in told for name in left_out)
    assert learning(full, CLASS) == full
    assert capsys.readouterr().err == ""


def test_a_head_that_does_not_learn_numbers_fails_by_itself(make_targets: Make, tmp_path: Path) -> None:
    train, valid = make_targets(NUMBER), make_targets(NUMBER, "val")
    board = sweep(["lda", "ridge"], train, valid, runs=tmp_path, jobs=1)
    assert [one.head for one in board.results] == ["ridge", "lda"]
    assert "does not learn numbers: choose from" in board.results[1].problem
    with pytest.raises(PipelineError, match=r"every candidate failed; the first: lda"):
        sweep(["lda"], train, valid, runs=tmp_path, jobs=1)


@pytest.mark.parametrize(("kind", "word"), [(LABELS, "label"), (NUMBER, "number")])
def test_a_val_split_of_which_nothing_is_known_asks_for_folds(
    kind: str, word: str, make_targets: Make, tmp_path: Path
) -> None:
    valid = make_targets(kind, "val")
    unknown = replace(valid, rows=replace(valid.rows, targets=np.full_like(valid.targets, np.nan)))
    with pytest.raises(UsageError, match=f"none of the 60 val rows has a {word} to choose by: add --cv 5"):
        sweep(WANTED, make_targets(kind), unknown, runs=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_leaderboard_names_the_figure(kind: str, make_targets: Make, tmp_path: Path) -> None:
    train, valid = make_targets(kind), make_targets(kind, "val")
    board = sweep([*WANTED[:2], "lda" if kind == NUMBER else "cnn"], train, valid, runs=tmp_path, jobs=1)
    figure, tie_break = KINDS[kind]
    table, described, picture = write_leaderboard(board)
    with open(table, newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["figure"] for line in lines] == [figure] * 3
    assert float(lines[0][tie_break]) == board.results[0].loss
    assert ("log_loss" in lines[0], "mae" in lines[0]) == (kind == LABELS, kind == NUMBER)
    record = json.loads(described.read_text())
    assert record["figure"] == figure
    assert (record["results"][0]["low"], record["results"][0]["high"]) == board.results[0].interval
    assert picture.stat().st_size > 1000
    words = {LABELS: "mean average precision on val", NUMBER: "R2 on val"}[kind]
    assert leaderboard_table(board).title == words
    assert words in board._repr_html_()
    assert "accuracy" not in board._repr_html_().replace("average", "")
