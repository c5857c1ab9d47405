"""Images to label next, where they have several labels or numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.next_images import next_images
from pipeline.evaluation.unsure import can_be_asked, entropy_of, farthest_first
from pipeline.heads import fit_head
from pipeline.images.targets import LABELS, NUMBER

Make = Callable[..., FeatureSet]


@pytest.fixture
def partly(make_features: Make) -> Make:
    def make(kind: str) -> FeatureSet:
        """Two labels or numbers that two axes tell; 20 rows without, ten of these between, ten far away."""
        random = np.random.default_rng(0)
        told = np.stack([np.arange(60) % 2, np.arange(60) // 2 % 2], axis=1)
        features = np.zeros((60, 4))
        features[:, :2] = 4 * told - 2
        features[40:50, :2] = 0
        features[40:, 2] = 3
        features[50:, 2:] = [0, 20]
        features += random.normal(scale=0.2, size=features.shape)
        targets = told.astype(np.float32)
        targets[40:] = np.nan
        made = make_features(features.astype(np.float32), np.full(60, -1), classes=("red", "round"))
        return replace(made, rows=replace(made.rows, targets=targets), target=kind)

    return make


def test_of_labels_those_come_first_that_are_as_likely_as_not(partly: Make) -> None:
    features = partly(LABELS)
    assert can_be_asked(features)
    found = next_images(features, fit_head("logreg", features), 3, train=features)
    assert found.measure == "entropy"
    assert found.values is not None
    assert (np.diff(found.values) <= 0).all()
    assert (found.rows >= 40).all()
    one = found.to_json()["next"][0]
    assert list(one) == ["id", "entropy", "guess", "cluster"]
    assert set(one["guess"].split(", ")) <= {"red", "round", ""}


def test_of_numbers_the_farthest_comes_first_and_no_head_is_asked(partly: Make) -> None:
    features = partly(NUMBER)
    assert not can_be_asked(features)
    found = next_images(features, None, 2, train=features)
    assert (found.measure, found.guesses) == ("distance", None)
    assert sorted(row // 10 for row in found.rows) == [4, 5], "what is like one that is chosen waits"
    assert found.values is not None
    assert found.values[0] >= found.values[1] > 0
    assert len(next_images(features, None, 99, train=features).rows) == 20


def test_where_no_number_is_known_the_most_different_are_taken(partly: Make) -> None:
    features = partly(NUMBER)
    nothing = replace(features, rows=replace(features.rows, targets=np.full((60, 2), np.nan, np.float32)))
    found = next_images(nothing, None, 4, train=nothing)
    assert (found.values, len(found.rows)) == (None, 4)


@pytest.mark.parametrize(("kind", "noun"), [(LABELS, "label"), (NUMBER, "number")])
def test_where_all_are_known_there_is_nothing_to_choose(partly: Make, kind: str, noun: str) -> None:
    features = partly(kind)
    known = replace(features, rows=replace(features.rows, targets=np.ones((60, 2), np.float32)))
    with pytest.raises(UsageError, match=f"every image has a {noun}"):
        next_images(known, None, 2, train=known)


def test_the_entropy_of_labels_is_their_mean_in_bits() -> None:
    assert entropy_of(np.array([[0.5, 0.5], [0.0, 1.0], [0.5, 1.0]])).tolist() == pytest.approx([1, 0, 0.5])


def test_what_is_farthest_is_taken_as_by_hand() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(30, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    taken, distances = farthest_first(rows[10:], rows[:10], 6)
    known = list(range(10))
    for row, distance in zip(taken + 10, distances, strict=True):
        away = 1 - (rows @ rows[known].T).max(axis=1)
        assert row == away.argmax()
        assert distance == pytest.approx(away[row], abs=1e-6)
        known.append(int(row))
