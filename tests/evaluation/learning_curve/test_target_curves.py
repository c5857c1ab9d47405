"""Learning curves of several labels an image and of numbers."""

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
from pipeline.errors import UsageError
from pipeline.evaluation.learning_curve import LearningCurve, learning_curve
from pipeline.evaluation.learning_curve.files import print_learning_curve, write_learning_curve
from pipeline.evaluation.learning_curve.measured import measured_of
from pipeline.evaluation.learning_curve.orders import draw_order
from pipeline.heads import row_groups
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS, score
from pipeline.images.targets import LABELS, NUMBER

Make = Callable[..., FeatureSet]


@pytest.fixture(params=[LABELS, NUMBER])
def target(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def curve(target: str, make_targets: Make) -> LearningCurve:
    train, valid = make_targets(target, "train", rows=120), make_targets(target, "val", rows=80)
    return learning_curve(train, valid, head="ridge", draws=2)


def test_it_is_the_figure_that_heads_are_chosen_by(target: str, curve: LearningCurve) -> None:
    assert (curve.sizes[0], curve.sizes[-1]) == (20, 119)  # of one row nothing is known
    assert curve.value[-1] > curve.value[0]
    assert (curve.by_draw[-1] == curve.by_draw[-1, 0]).all()
    assert (curve.band[0] <= curve.value).all()
    assert (curve.band[1] >= curve.value).all()
    one = curve.forecast
    assert one.rows == 238
    assert one.value_ci[0] <= one.value <= one.value_ci[1] <= 1
    assert one.gain_ci[0] <= one.gain <= one.gain_ci[1]
    assert IN_WORDS[FIGURES[target]] in curve.line
    assert set(curve.of_classes) == set(curve.classes)
    with pytest.raises(UsageError, match="tells no accuracy"):
        _ = curve.accuracy


def test_what_is_kept_of_a_fit_is_its_figure(target: str, make_targets: Make) -> None:
    measured = make_targets(target, "val", rows=80)
    asked, groups = select_all(measured), row_groups(measured)
    found = measured_of(asked, groups[select_all(measured).index], 1, 2)
    answers = np.random.default_rng(0).random((2, *asked.targets.shape))
    for draw in range(2):
        found.record(0, draw, answers[draw])
        assert found.by_draw[0, draw] == pytest.approx(score(target, asked.truth, answers[draw]), abs=1e-6)
    for part in range(2):
        errors = found.errors(part)
        one = score(target, asked.truth[:, [part]], answers[0][:, [part]])
        assert errors.by_draw[0, 0] == pytest.approx(1 - one, abs=1e-6)
        assert errors.resampled.std() > 0


def test_rows_of_a_group_are_drawn_together(target: str, make_targets: Make) -> None:
    measured = make_targets(target, "val", rows=80)
    asked = select_all(measured)
    answers = np.random.default_rng(0).random(asked.targets.shape)
    spreads = []
    for groups in (np.arange(len(asked)), (asked.targets[:, 0] > np.median(asked.targets[:, 0])).astype(int)):
        found = measured_of(asked, groups, 1, 2)
        found.record(0, 0, answers)
        found.repeat(0, 1)
        spreads.append(len(np.unique(found.errors(0).resampled)))
    assert spreads[1] <= 3 < spreads[0]  # of two groups: one of them twice, the other twice, or both


def test_every_beginning_has_its_share_of_each_label_or_bin(target: str, make_targets: Make) -> None:
    train = make_targets(target, "train", rows=400)
    known = np.flatnonzero(train.known)
    first = train.targets[:, 0]
    marked = first == 1 if target == LABELS else first > np.nanmedian(first)
    sizes, strayed = (20, 40, 80, 160), []
    for seed in range(10):
        random = np.random.default_rng(seed)
        for order in (draw_order(train, known, random), random.permutation(known)):
            assert sorted(order) == known.tolist()
            shares = [marked[order[:size]].mean() for size in sizes]
            strayed.append(np.abs(np.array(shares) - marked[known].mean()).mean())
    assert np.mean(strayed[::2]) < 0.6 * np.mean(strayed[1::2])


def test_an_order_keeps_groups_together(target: str, make_targets: Make) -> None:
    train = make_targets(target, "train", rows=90, groups=30)
    order = draw_order(train, np.flatnonzero(train.known), np.random.default_rng(0))
    groups = row_groups(train)[order]
    assert len(np.unique(groups)) == 1 + np.count_nonzero(np.diff(groups)) == 30
    alone = make_targets(target, "train", rows=90, groups=1)
    assert len(draw_order(alone, np.flatnonzero(alone.known), np.random.default_rng(0))) == 89


def test_too_few_rows_and_rows_that_are_all_alike_are_refused(target: str, make_targets: Make) -> None:
    valid = make_targets(target, "val", rows=40)
    with pytest.raises(UsageError, match="takes 40 labelled training rows, and"):
        learning_curve(make_targets(target, "train", rows=30), valid, head="ridge")
    same = replace(valid, rows=replace(valid.rows, targets=np.ones_like(valid.targets)))
    with pytest.raises(UsageError, match="all alike"):
        learning_curve(make_targets(target, "train", rows=60), same, head="ridge")


def test_a_head_that_does_not_learn_the_kind_names_those_that_do(make_targets: Make) -> None:
    train, valid = (make_targets(NUMBER, split, rows=60) for split in ("train", "val"))
    with pytest.raises(UsageError, match=r"does not learn numbers: choose from .*ridge"):
        learning_curve(train, valid, head="lda")


def test_files_and_terminal_say_the_same(target: str, curve: LearningCurve, tmp_path: Path) -> None:
    folder = write_learning_curve(curve, tmp_path / "runs" / "toy" / "entry")
    record = json.loads((folder / "learning-curve.json").read_text())
    assert record[FIGURES[target]] == curve.value.tolist()
    assert record["twice"][FIGURES[target]] == curve.forecast.value
    assert "accuracy" not in record
    noun = {LABELS: "label", NUMBER: "number"}[target]
    assert [one[noun] for one in record[f"{noun}s"]] == list(curve.of_classes)
    assert write_learning_curve(curve, tmp_path / "runs" / "toy" / "entry") == folder
    console = Console(width=150, record=True, file=io.StringIO())
    print_learning_curve(curve, console=console)
    text = console.export_text()
    assert curve.line in text
    assert IN_WORDS[FIGURES[target]] in text
