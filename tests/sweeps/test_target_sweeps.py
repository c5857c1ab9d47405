"""Sweeps over several labels and over numbers: what ranks, what is kept, what the winner knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation.targets import evaluate_targets
from pipeline.heads import load_head
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.target_figures import score
from pipeline.images.targets import LABELS, NUMBER
from pipeline.sweeps import candidates, sweep

Make = Callable[..., FeatureSet]
WANTED = candidates([("ridge", {"alpha": ["0.001", "1"]}), ("knn", {"k": ["1", "9"]})])
KINDS = {LABELS: ("map", "log_loss"), NUMBER: ("r2", "mae")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_best_by_the_figure_of_the_kind_is_saved(
    kind: str, jobs: int, make_targets: Make, tmp_path: Path
) -> None:
    train, valid = make_targets(kind), make_targets(kind, "val", rows=45)
    board = sweep(WANTED, train, valid, runs=tmp_path, jobs=jobs)
    scores = [one.score for one in board.results]
    assert len(scores) == len(WANTED)
    assert scores == sorted(scores, reverse=True)
    assert 0.3 < scores[-1] < scores[0] < 1
    best = board.results[0]
    saved = load_head(board.winner.folder)
    rows = select_all(valid)
    answers = saved.answer(rows)
    assert (best.figure, saved.val_figure) == (KINDS[kind][0], (KINDS[kind][0], best.score))
    assert best.score == pytest.approx(score(kind, rows.targets, answers))
    assert len(saved.thresholds) == (2 if kind == LABELS else 0)
    report = evaluate_targets(saved, valid)
    assert best.interval == pytest.approx(report.figures.intervals[best.figure])
    known = ~np.isnan(rows.targets)
    if kind == LABELS:
        of_truth = np.where(rows.targets == 1, answers, 1 - answers)[known]
        assert best.log_loss == pytest.approx(-np.log(of_truth).mean())
    else:
        assert best.mae == pytest.approx(report.figures.mean("mae"))
