"""Folds of several labels and of numbers: every label has its share, groups stay whole, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads import fit_head, notes_on_folds, out_of_fold, split_folds
from pipeline.heads._core.stratification import marks_of, stratified_folds
from pipeline.images.targets import LABELS, NUMBER

KINDS = (LABELS, NUMBER)


def spread(marks: np.ndarray, fold: np.ndarray, count: int) -> float:
    """Returns how far the folds' counts of a mark are from even at most, in rows."""
    counts = np.array([marks[fold == one].sum(axis=0) for one in range(count)])
    return float(np.abs(counts - counts.mean(axis=0)).max())


def test_rare_labels_are_shared_out_more_evenly_than_by_chance() -> None:
    random = np.random.default_rng(0)
    marks = random.random((400, 12)) < np.geomspace(0.02, 0.5, 12)
    fold = stratified_folds(marks, np.arange(400), 5, seed=0)
    chance = min(spread(marks, random.permutation(np.arange(400) % 5), 5) for _ in range(20))
    assert spread(marks, fold, 5) < chance / 2
    sizes = np.bincount(fold, minlength=5)
    assert sizes.sum() == 400
    assert sizes.max() - sizes.min() <= 4


@pytest.mark.parametrize("rows", [1, 3, 50])
def test_rows_without_any_label_fill_the_folds_up(rows: int) -> None:
    fold = stratified_folds(np.zeros((rows, 2), bool), np.arange(rows), 3, seed=1)
    sizes = np.bincount(fold, minlength=3)
    assert sizes.max() - sizes.min() <= 1


def test_groups_stay_whole_and_the_seed_decides() -> None:
    random = np.random.default_rng(1)
    marks, groups = random.random((300, 4)) < 0.3, random.integers(0, 60, 300)
    fold = stratified_folds(marks, groups, 4, seed=3)
    assert all(len(set(fold[groups == one])) == 1 for one in np.unique(groups))
    np.testing.assert_array_equal(fold, stratified_folds(marks, groups, 4, seed=3))
    assert (fold != stratified_folds(marks, groups, 4, seed=4)).any()


def test_bins_of_a_number_hold_equally_many_and_an_unknown_one_is_in_none() -> None:
    values = np.r_[np.arange(99.0), np.nan][:, None]
    marks = marks_of(values, NUMBER, 5)
    assert marks.shape == (100, 10)
    assert not marks[99].any()
    assert (marks[:99].sum(axis=1) == 1).all()
    assert set(marks.sum(axis=0)) <= {9, 10, 11}
    assert marks_of(np.full((4, 1), np.nan), NUMBER, 2).sum() == 0
    assert marks_of(np.full((4, 1), 7.0), NUMBER, 2).sum() == 4


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("groups", [0, 20])
def test_every_known_image_is_answered_once_by_a_head_that_has_not_seen_it(
    target: str, groups: int, make_targets: Callable[..., FeatureSet]
) -> None:
    features = make_targets(target, rows=80, groups=groups)
    folds = split_folds(features, 4, seed=0)
    for learn, measure in folds:
        assert not (learn.known & measure.known).any()
        np.testing.assert_array_equal(learn.known | measure.known, features.known)
        if groups:
            names = np.array(features.rows.groups)
            assert not set(names[learn.known]) & set(names[measure.known])
    answers, fold = out_of_fold(folds, lambda learn: fit_head("ridge", learn))
    np.testing.assert_array_equal(fold >= 0, features.known)
    head = fit_head("ridge", folds[2][0])
    np.testing.assert_allclose(answers[fold == 2], head.predict_targets(features)[fold == 2])
    assert notes_on_folds(features, folds) == []


def test_a_label_with_fewer_rows_than_folds_is_told(make_targets: Callable[..., FeatureSet]) -> None:
    features = make_targets(LABELS)
    column = features.targets[:, 1]
    column[column == 1] = 0
    column[[4, 5]] = 1
    folds = split_folds(features, 5, seed=0)
    assert notes_on_folds(features, folds) == [
        "fewer than 5 rows of <b>round</b>: some folds are not measured on them"
    ]


@pytest.mark.parametrize("target", KINDS)
def test_more_folds_than_groups_are_refused(target: str, make_targets: Callable[..., FeatureSet]) -> None:
    with pytest.raises(UsageError, match="--cv 9 is out of bounds: choose from 2 to 6"):
        split_folds(make_targets(target, groups=6), 9, seed=0)
