"""The parts of a choice by several labels or numbers: quick scores, and ensembles with what they gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.choosing import quick_score as quick_score_module
from pipeline.choosing.ensembles import (
    FEWEST_ROWS,
    MOST_ROWS,
    MOST_TARGETS,
    TargetGain,
    measure_gain,
    rows_to_look_at,
    select_members,
)
from pipeline.choosing.quick_score import quick_score
from pipeline.errors import UsageError
from pipeline.heads import fit_head
from pipeline.heads._core.row_losses import row_losses
from pipeline.heads._core.target_figures import score
from pipeline.images.targets import CLASS, LABELS, NUMBER

TARGETS = (LABELS, NUMBER)
Make = Callable[..., FeatureSet]


def with_targets(features: FeatureSet, targets: np.ndarray) -> FeatureSet:
    return replace(features, rows=replace(features.rows, targets=targets.astype(np.float32)))


def taking_away(features: FeatureSet, row: int) -> FeatureSet:
    """Takes what is known of a row away."""
    targets = features.targets.copy()
    targets[row] = np.nan
    return with_targets(features, targets)


def test_the_quick_score_of_numbers_is_that_of_fits_without_each_row(
    make_targets: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_score_module, "PENALTIES", (1.0,))
    features = make_targets(NUMBER, rows=30)

    found = quick_score([features])

    known = np.flatnonzero(features.known)
    answers = [
        fit_head("ridge", taking_away(features, row)).predict_targets(features)[row] for row in known.tolist()
    ]
    # Each fit without a row is scaled without it, too.
    assert found.score == pytest.approx(score(NUMBER, features.targets[known], np.array(answers)), abs=0.02)
    assert len(found.losses) == len(known) == 29


@pytest.mark.parametrize("target", TARGETS)
def test_features_that_tell_more_of_targets_score_better(target: str, make_targets: Make) -> None:
    features = make_targets(target, rows=90)
    shuffled = features.targets[np.random.default_rng(0).permutation(90)]
    unknown = np.isnan(features.targets) | np.isnan(shuffled)  # so that both have the same rows

    good, bad = (
        quick_score([with_targets(features, np.where(unknown, np.nan, targets))])
        for targets in (features.targets, shuffled)
    )

    assert len(good.losses) == len(bad.losses)
    assert bad.clearly_worse(good)
    assert not good.clearly_worse(bad)
    assert good.score > bad.score
    assert good.equals(good)


@pytest.mark.parametrize("target", TARGETS)
def test_of_a_group_with_targets_one_row_is_scored(target: str, make_targets: Make) -> None:
    assert len(quick_score([make_targets(target, rows=60, groups=20)]).losses) in (19, 20)


@pytest.mark.parametrize("target", TARGETS)
def test_targets_that_too_few_rows_have_are_left_out(target: str, make_targets: Make) -> None:
    features = make_targets(target, rows=40)
    rare = features.targets.copy()
    rare[:, 1] = np.nan
    alone = quick_score([with_targets(features, rare)])
    rare[5, 1] = 1

    found = quick_score([with_targets(features, rare)])

    assert found.score == alone.score
    assert np.array_equal(found.losses, alone.losses)


@pytest.mark.parametrize("target", TARGETS)
def test_targets_that_tell_nothing_apart_are_refused(target: str, make_targets: Make) -> None:
    features = make_targets(target, rows=40)

    with pytest.raises(UsageError, match=r"to choose by.*train-head"):
        quick_score([with_targets(features, np.ones_like(features.targets))])


def test_losses_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss

    random = np.random.default_rng(0)
    marks, shares = random.integers(0, 2, (50, 3)).astype(np.float32), random.random((50, 3))
    each = [log_loss(marks[:, i], shares[:, i], labels=[0, 1]) for i in range(3)]
    assert row_losses(LABELS, marks, shares).mean() == pytest.approx(np.mean(each))
    labels, proba = random.integers(0, 3, 50), random.dirichlet(np.ones(3), 50)
    assert row_losses(CLASS, labels, proba).mean() == pytest.approx(log_loss(labels, proba))
    values, answers = random.normal(size=(50, 2)), random.normal(size=(50, 2))
    # Of all rows together, the standardised squared error is what R2 lacks to 1.
    assert row_losses(NUMBER, values, answers).mean() == pytest.approx(1 - score(NUMBER, values, answers))
    values[3, 0] = np.nan
    assert np.isfinite(row_losses(NUMBER, values, answers)).all()
    assert np.isfinite(row_losses(NUMBER, np.ones((4, 1)), np.zeros((4, 1)))).all()


def library(target: str, truth: np.ndarray, *, alike: bool = False) -> np.ndarray:
    """Makes answers of six heads, float32 (6, n, k), each wrong in its own way, or all in the same way."""
    random = np.random.default_rng(1)
    noise = random.normal(scale=0.8, size=(6, *truth.shape))
    if alike:
        noise = np.repeat(noise[:1], 6, axis=0)
    answers = truth + noise
    return (1 / (1 + np.exp(1 - 2 * answers)) if target == LABELS else answers).astype(np.float32)


def truth_of(target: str, rows: int) -> np.ndarray:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, (rows, 3)) if target == LABELS else random.normal(size=(rows, 3))
    truth = truth.astype(np.float32)
    truth[::7, 1] = np.nan
    return truth


@pytest.mark.parametrize("target", TARGETS)
def test_an_ensemble_of_unlike_heads_gains_with_targets(target: str) -> None:
    truth = truth_of(target, 300)
    several = library(target, np.nan_to_num(truth))

    votes = select_members(several, truth, target)
    gain = measure_gain(several, truth, np.arange(300), seed=0, kind=target)

    assert np.count_nonzero(votes) > 2
    assert isinstance(gain, TargetGain)
    assert gain.is_more_than_noise
    assert gain.score > 0.02
    assert len(gain.losses) == 300
    assert "of 300 val rows" in gain.told


@pytest.mark.parametrize("target", TARGETS)
def test_an_ensemble_of_one_head_many_times_gains_nothing_with_targets(target: str) -> None:
    truth = truth_of(target, 200)
    same = library(target, np.nan_to_num(truth), alike=True)

    assert np.count_nonzero(select_members(same, truth, target)) == 1
    assert not measure_gain(same, truth, np.arange(200), seed=0, kind=target).is_more_than_noise


@pytest.mark.parametrize("target", TARGETS)
def test_one_group_alone_tells_of_no_gain(target: str) -> None:
    truth = truth_of(target, 40)
    several = library(target, np.nan_to_num(truth))

    assert not measure_gain(several, truth, np.zeros(40, int), seed=0, kind=target).is_more_than_noise


def test_a_gain_that_few_rows_make_is_noise() -> None:
    losses = np.zeros(100)
    losses[7] = 5.0
    assert not TargetGain(NUMBER, 0.1, losses).is_more_than_noise
    assert TargetGain(NUMBER, 0.1, losses + 1).is_more_than_noise
    assert not TargetGain(LABELS, -0.1, losses + 1).is_more_than_noise


def test_the_selection_looks_at_as_many_rows_as_it_has_time_for() -> None:
    assert len(rows_to_look_at(np.zeros(10 * MOST_ROWS, int))) == MOST_ROWS
    assert len(rows_to_look_at(np.zeros((10 * MOST_ROWS, 2)))) == MOST_ROWS
    assert len(rows_to_look_at(np.zeros((10 * MOST_ROWS, 50)))) == MOST_TARGETS // 50
    assert len(rows_to_look_at(np.zeros((1000, 1000)))) == FEWEST_ROWS
    assert len(rows_to_look_at(np.zeros((30, 1000)))) == 30
