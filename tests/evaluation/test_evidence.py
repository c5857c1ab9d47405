"""Evidence is the exact sum for linear heads, lies where the class is, and goes where labels mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.evidence import Evidence, drawn
from pipeline.heads import fit_head

Make = Callable[..., FeatureSet]


def planted(
    make: Make, *, shuffled: bool = False, other_filters: bool = False, classes: int = 2
) -> FeatureSet:
    """Makes maps whose class shows at one place: (1, 2) for the first, (2, 0) for all others.

    Args:
        make: Builds a feature set.
        shuffled: The labels are drawn anew, so they mean nothing.
        other_filters: Another base made the features: what shows a class is mixed over all places.
        classes: How many.
    """
    random = np.random.default_rng(0)
    labels = np.arange(60) % classes
    maps = random.normal(size=(60, 3, 3, 8)) * 0.5
    maps[labels == 0, 1, 2, 0] += 4
    for label in range(1, classes):
        maps[labels == label, 2, 0, label] += 4
    if other_filters:
        mixing = np.linalg.qr(random.normal(size=(72, 72)))[0]
        maps = (maps.reshape(60, 72) @ mixing).reshape(maps.shape)
    return make(maps.astype(np.float16), random.permutation(labels) if shuffled else labels)


@pytest.mark.parametrize("name", ["logreg", "linear-svm", "ridge", "lda"])
@pytest.mark.parametrize("classes", [2, 3])
def test_of_linear_heads_it_sums_to_the_score(name: str, classes: int, make_features: Make) -> None:
    train = planted(make_features, classes=classes)
    evidence = Evidence.of(fit_head(name, train), train)
    one = train.to_memory()[0].astype(np.float32)
    whole = evidence.score(np.stack([one, evidence.usual]), 0)
    assert evidence.of_class(one, 0).sum() == pytest.approx(whole[0] - whole[1], abs=1e-3)


@pytest.mark.parametrize("name", ["logreg", "dense", "svm-rbf", "ensemble"])
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_it_lies_where_the_class_is(name: str, make_features: Make) -> None:
    train = planted(make_features)
    options = {"epochs": 20, "learning_rate": 0.01} if name == "dense" else {}
    evidence = Evidence.of(fit_head(name, train, options=options), train)
    rows = train.to_memory()
    # What is there speaks for the class, and so does what is missing where the other class shows.
    found = np.mean([evidence.of_class(rows[i], int(train.labels[i])) for i in range(20)], axis=0)
    assert set(found.ravel().argsort()[-2:].tolist()) == {1 * 3 + 2, 2 * 3 + 0}


@pytest.mark.parametrize("change", ["shuffled", "other_filters"])
def test_it_changes_when_labels_or_filters_are_others(change: str, make_features: Make) -> None:
    maps = []
    for train in (planted(make_features), planted(make_features, **{change: True})):
        evidence = Evidence.of(fit_head("logreg", train), train)
        rows = train.to_memory()
        maps.append(np.concatenate([evidence.of_class(rows[i], 0).ravel() for i in range(0, 20, 2)]))
    assert np.corrcoef(maps[0], maps[0])[0, 1] == pytest.approx(1)
    assert np.corrcoef(*maps)[0, 1] < 0.5


def planted_targets(make: Make, target: str) -> FeatureSet:
    """Makes maps whose first target shows at (1, 2) and whose second at (2, 0)."""
    random = np.random.default_rng(0)
    marks = random.integers(0, 2, (80, 2))
    maps = random.normal(size=(80, 3, 3, 4)) * 0.8
    maps[:, 1, 2, 0] += 2 * marks[:, 0]
    maps[:, 2, 0, 1] += 2 * marks[:, 1]
    values = (marks if target == "labels" else marks * [10, -10] + 5).astype(np.float32)
    made = make(maps.astype(np.float16), np.full(80, -1), classes=("a", "b"))
    return replace(made, rows=replace(made.rows, targets=values), target=target)


@pytest.mark.parametrize("target", ["labels", "number"])
def test_of_linear_heads_it_sums_to_the_log_odds_or_to_the_number(target: str, make_features: Make) -> None:
    train = planted_targets(make_features, target)
    head = fit_head("ridge", train)
    evidence = Evidence.of(head, train)
    one = train.to_memory()[0].astype(np.float32)
    answers = head.new_targets(np.stack([one, evidence.usual]))
    scores = np.log(answers / (1 - answers)) if target == "labels" else answers
    for place in range(2):
        found = evidence.of_class(one, place).sum()
        assert found == pytest.approx(scores[0, place] - scores[1, place], abs=1e-3)


@pytest.mark.parametrize("target", ["labels", "number"])
@pytest.mark.parametrize("name", ["ridge", "knn"])
def test_it_lies_where_the_target_is_and_says_whether_for_or_against(
    name: str, target: str, make_features: Make
) -> None:
    train = planted_targets(make_features, target)
    evidence = Evidence.of(fit_head(name, train), train)
    rows, targets = train.to_memory(), train.targets
    for place, where in enumerate(((1, 2), (2, 0))):
        middle = targets[:, place].mean()
        for sign in (1, -1):
            chosen = np.flatnonzero(sign * (targets[:, place] - middle) > 0)[:15]
            found = np.mean([evidence.of_class(rows[i], place) for i in chosen], axis=0)
            assert np.unravel_index(np.abs(found).argmax(), found.shape) == where
            assert np.sign(found[where]) == sign


def test_averaged_features_have_no_places(make_features: Make) -> None:
    train = make_features(np.eye(8, dtype=np.float16), np.arange(8) % 2)
    with pytest.raises(UsageError, match="do not tell places apart"):
        Evidence.of(fit_head("prototype", train), train)


def test_for_is_orange_and_against_is_blue() -> None:
    picture = np.full((60, 60, 3), 128, np.uint8)
    found = drawn(picture, np.array([[1.0, 0.0], [0.0, -0.5]])).astype(int)
    assert found.shape == picture.shape
    assert found[0, 0, 0] - found[0, 0, 2] > 100
    assert 20 < found[-1, -1, 2] - found[-1, -1, 0] < 150
    assert np.array_equal(drawn(picture, np.zeros((2, 2))), picture)


def test_fine_maps_are_taken_in_blocks(make_features: Make) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 100, (40, 20, 19, 3)).astype(np.uint8)
    labels = np.arange(40) % 2
    pixels[labels == 1, 12:15, :3] += 100
    train = make_features(pixels, labels)
    evidence = Evidence.of(fit_head("ridge", train), train)
    found = evidence.of_class(pixels[1], 1)
    assert found.shape == (20, 19)
    assert len(np.unique(found.round(12))) <= 7 * 7
    assert np.unravel_index(found.argmax(), found.shape) == (12, 0)
    whole = evidence.score(np.stack([pixels[1].astype(np.float32), evidence.usual]), 1)
    assert found.sum() == pytest.approx(whole[0] - whole[1], abs=1e-3)
