"""Images to label next: unsure ones, of every kind, and never one twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.next_images import margins_of, next_images, representatives
from pipeline.heads import TrainedHead, fit_head

Make = Callable[..., FeatureSet]


@pytest.fixture
def partly(make_features: Make) -> FeatureSet:
    """Two classes, half labelled, and two kinds between them that only the third axis tells apart."""
    random = np.random.default_rng(0)
    sides = np.repeat([[4, 0, 0], [0, 4, 0]], 20, axis=0) + random.normal(scale=0.2, size=(40, 3))
    between = np.repeat([[2, 2, 3], [2, 2, -3]], 10, axis=0) + random.normal(scale=0.2, size=(20, 3))
    labels = np.r_[np.repeat([0, 1], 20), np.full(20, -1)]
    labels[15:20] = labels[35:40] = -1
    return make_features(np.concatenate([sides, between]).astype(np.float32), labels)


@pytest.fixture
def head(partly: FeatureSet) -> TrainedHead:
    return fit_head("lda", partly)


def test_the_unsure_come_first_and_of_every_kind(partly: FeatureSet, head: TrainedHead) -> None:
    found = next_images(partly, head, 2, clusters=4)
    assert sorted(row // 10 for row in found.rows) == [4, 5]
    assert (np.diff(found.margins) >= 0).all()
    assert found.clusters[0] != found.clusters[1]
    assert sorted(found.sizes.tolist()) == [5, 5, 10, 10]
    assert sorted(row // 10 for row in found.representatives) == [1, 3, 4, 5]
    assert set(found.guesses) <= {"class0", "class1"}


def test_all_are_taken_where_there_are_few(partly: FeatureSet, head: TrainedHead) -> None:
    found = next_images(partly, head, 99)
    assert sorted(found.rows) == [*range(15, 20), *range(35, 60)]
    described = found.to_json()
    assert described["unlabelled"] == 30
    assert {one["id"] for one in described["next"]} == {partly.rows.ids[row] for row in found.rows}
    assert sum(one["images"] for one in described["clusters"]) == 30


def test_without_a_head_the_most_different_are_taken(partly: FeatureSet) -> None:
    found = next_images(partly, None, 4)
    assert sorted(row // 10 for row in found.rows) == [1, 3, 4, 5]
    assert (found.margins, found.guesses) == (None, None)
    assert found.to_json()["next"][0]["margin"] is None


def test_views_are_not_chosen(partly: FeatureSet) -> None:
    views = (np.arange(60) % 2).astype(np.uint8)
    found = next_images(replace(partly, rows=replace(partly.rows, views=views)), None, 99)
    assert sorted(found.rows) == [16, 18, 36, 38, *range(40, 60, 2)]


def test_where_all_have_labels_there_is_nothing_to_choose(make_features: Make) -> None:
    with pytest.raises(UsageError, match="every image has a label"):
        next_images(make_features(np.eye(3, dtype=np.float32), [0, 1, 0]), None, 2)


def test_equal_rows_are_still_different_ones() -> None:
    same = np.tile(np.float32([[1, 0], [0, 1]]), (5, 1))
    chosen = representatives(same, 6)
    assert len(set(chosen.tolist())) == 6
    assert {tuple(same[row]) for row in chosen[:2]} == {(1, 0), (0, 1)}


def test_a_margin_is_between_the_first_two() -> None:
    assert margins_of(np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]])).tolist() == pytest.approx([0.2, 1.0])
