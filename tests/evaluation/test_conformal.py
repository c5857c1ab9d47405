"""Conformal sets hold the true class as often as they promise, on rows that are alone or in groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.conformal import conformal_sets, fewest, least_probability, one_of_each
from pipeline.heads import TrainedHead, fit_head

Make = Callable[..., FeatureSet]


def blurred(make: Make, split: str, rows: int, seed: int) -> FeatureSet:
    """Makes rows of three classes that a head cannot tell apart without mistakes."""
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    features = random.normal(size=(rows, 3)) + 1.5 * np.eye(3)[labels]
    return make(features.astype(np.float32), labels, split=split)


@pytest.fixture
def head(make_features: Make) -> TrainedHead:
    return fit_head("lda", blurred(make_features, "train", 90, 0))


def test_the_place_is_that_of_the_finite_sample() -> None:
    given = np.arange(1, 101) / 100
    assert least_probability(given, 0.95) == pytest.approx(0.05)  # the 96th from the top of 100
    assert least_probability(given[:19], 0.95) == pytest.approx(0.01)
    assert least_probability(given[:18], 0.95) == 0
    assert least_probability(given[:0], 0.5) == 0
    assert [fewest(coverage) for coverage in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]


def test_new_images_are_covered_as_promised(make_features: Make, head: TrainedHead) -> None:
    rows = blurred(make_features, "val", 2000, 1)
    answers, random = head.predict_proba(rows), np.random.default_rng(0)
    shares = []
    for _ in range(200):
        order = random.permutation(2000)
        least = least_probability(answers[order[:500], rows.labels[order[:500]]], 0.9)
        shares.append(np.mean(answers[order[500:], rows.labels[order[500:]]] >= least))
    assert np.mean(shares) == pytest.approx(0.9, abs=0.01)


def test_sets_grow_with_the_coverage(make_features: Make, head: TrainedHead) -> None:
    valid, test = (blurred(make_features, split, 600, seed) for split, seed in (("val", 1), ("test", 2)))
    answers, sizes = head.predict_proba(test), []
    for coverage in (0.5, 0.8, 0.95):
        made = conformal_sets(head, valid, coverage)
        members = made.sets(answers)
        assert members[np.arange(600), test.labels].mean() == pytest.approx(coverage, abs=0.05)
        sizes.append(members.sum(axis=1).mean())
        assert made.rows.tolist() == [600] * 3
    assert sizes == sorted(sizes)


def test_per_class_each_class_is_covered(make_features: Make, head: TrainedHead) -> None:
    valid, test = (blurred(make_features, split, 900, seed) for split, seed in (("val", 1), ("test", 2)))
    few = replace(valid, rows=replace(valid.rows, labels=np.where(np.arange(900) < 12, valid.labels, -1)))
    made = conformal_sets(head, valid, 0.8, per_class=True)
    held = made.sets(head.predict_proba(test))[np.arange(900), test.labels]
    for label in range(3):
        assert held[test.labels == label].mean() == pytest.approx(0.8, abs=0.08)
    rare = conformal_sets(head, few, 0.9, per_class=True)
    assert rare.rows.tolist() == [4, 4, 4]
    assert rare.sets(head.predict_proba(test)).all()
    assert "in every set: class0, class1, class2" in rare.notes(head.classes)[1]
    assert rare.to_json(head.classes)["classes"]["class1"] == {"least_probability": 0.0, "val_rows": 4}


def test_of_each_group_one_image_is_drawn(make_features: Make, head: TrainedHead) -> None:
    valid = blurred(make_features, "val", 90, 1)
    groups = [f"patient{i // 3}" if i < 60 else "" for i in range(90)]
    made = conformal_sets(head, replace(valid, rows=replace(valid.rows, groups=groups)), 0.9)
    assert made.rows.tolist() == [50] * 3
    assert made.grouped
    assert "one of each group" in made.notes(head.classes)[0]
    assert one_of_each(["a", "a", "b"], np.array([0, 1, 0])).tolist() == [0, 1, 2]
    assert len(one_of_each(["a", "a", "b"], np.zeros(3, int))) == 2


def test_rows_of_the_training_take_no_part(make_features: Make, head: TrainedHead) -> None:
    valid = blurred(make_features, "val", 90, 1)
    digests = valid.rows.digests.copy()
    digests[:30] = blurred(make_features, "train", 90, 0).rows.digests[:30]
    views = np.arange(90) >= 80
    part = replace(valid, rows=replace(valid.rows, digests=digests, views=views.astype(np.uint8)))
    assert conformal_sets(head, part, 0.9).rows.tolist() == [50] * 3


def test_what_cannot_be_promised_is_refused(make_features: Make, head: TrainedHead, tmp_path: Path) -> None:
    valid = blurred(make_features, "val", 18, 1)
    with pytest.raises(UsageError, match=r"0\.95 needs 19 val images .* there are 18\. Give a smaller"):
        conformal_sets(head, valid, 0.95)
    with pytest.raises(UsageError, match="a coverage of 1 cannot be"):
        conformal_sets(head, valid, 1.0)
