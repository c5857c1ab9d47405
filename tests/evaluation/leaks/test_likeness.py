from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.cache.features import join_features
from pipeline.errors import CacheMismatchError
from pipeline.evaluation.leaks import find_leaks, likeness
from pipeline.evaluation.leaks.likeness import take_originals

Make = Callable[..., FeatureSet]
CHANNELS = 128


def drawn(seed: int, n: int) -> np.ndarray:
    """Draws float32 (n, CHANNELS) with a common mean and a falling spectrum, like the features of a base."""
    turn, _ = np.linalg.qr(np.random.default_rng(99).normal(size=(CHANNELS, CHANNELS)))
    spread = 10 * np.arange(1, CHANNELS + 1) ** -0.7
    return (10 + np.random.default_rng(seed).normal(size=(n, CHANNELS)) * spread @ turn).astype(np.float32)


def splits_of(make: Make, **features: np.ndarray) -> dict[str, FeatureSet]:
    return {split: make(each, np.zeros(len(each)), split=split) for split, each in features.items()}


def pairs(splits: dict[str, FeatureSet], **options: float) -> list[tuple[str, str]]:
    findings = find_leaks(splits, kinds=["near"], **options).findings
    assert all(one.kind == "near" and not one.certain for one in findings)
    return [(one.first.id, one.second.id) for one in findings]


@pytest.fixture
def leaking(make_features: Make) -> dict[str, FeatureSet]:
    train, val, test = drawn(1, 300), drawn(2, 40), drawn(3, 50)
    test[7] = train[123] + np.random.default_rng(4).normal(0, 0.1, CHANNELS)
    test[9] = val[3] + np.random.default_rng(5).normal(0, 0.2, CHANNELS)
    return splits_of(make_features, train=train, val=val, test=test)


def slow_cosines(train: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosines by the inverse covariance of the training rows, with their mean variance added to all."""
    covariance = np.cov(train.astype(np.float64).T, bias=True)
    inverse = np.linalg.inv(covariance + np.eye(CHANNELS) * np.trace(covariance) / CHANNELS)
    a, b = first - train.mean(axis=0), second - train.mean(axis=0)
    lengths = [np.sqrt(np.einsum("ni,ij,nj->n", one, inverse, one)) for one in (a, b)]
    return a @ inverse @ b.T / np.outer(*lengths)


def test_the_moments_are_those_of_train_and_three_quarters_are_near(make_features: Make) -> None:
    """Copies of val in test are more and more like noise; both splits have moments of their own."""
    rows = {"train": drawn(1, 300), "val": 3 * drawn(2, 40) + 5}
    noise = np.random.default_rng(4).normal(size=(40, CHANNELS)) * np.linspace(15, 32, 40)[:, None]
    rows["test"] = (rows["val"] + noise).astype(np.float32)
    expected = {}
    for earlier, later in combinations(rows, 2):
        cosines = slow_cosines(rows["train"], rows[earlier], rows[later])
        for row in np.flatnonzero(cosines.max(axis=0) >= 0.75):
            pair = f"{earlier}/image{cosines[:, row].argmax()}.png", f"{later}/image{row}.png"
            expected[pair] = cosines[:, row].max()

    splits = [take_originals(one) for one in splits_of(make_features, **rows).values()]
    found = {(one.first.id, one.second.id): one.value for one in likeness.find_near(splits)}

    assert 5 < len(expected) < 35
    assert found == pytest.approx(expected, abs=1e-3)


FOUND = [("train/image123.png", "test/image7.png"), ("val/image3.png", "test/image9.png")]


def test_nearly_equal_features_are_found_and_others_are_not(leaking: dict[str, FeatureSet]) -> None:
    assert pairs(leaking) == FOUND


def test_likeness_that_all_share_does_not_count(leaking: dict[str, FeatureSet]) -> None:
    train, test = leaking["train"].features, leaking["test"].features
    plain = (test / np.linalg.norm(test, axis=1, keepdims=True)) @ (
        train / np.linalg.norm(train, axis=1, keepdims=True)
    ).T
    assert np.median(plain.max(axis=1)) > 0.98


@pytest.mark.parametrize("sample", [100, 299])
def test_a_long_split_is_whitened_by_a_sample_and_read_in_blocks(
    sample: int, leaking: dict[str, FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pairs(leaking)
    monkeypatch.setattr(likeness, "_SAMPLE", sample)
    monkeypatch.setattr(likeness, "_BLOCK_BYTES", 10 * CHANNELS * 4)
    assert pairs(leaking) == whole


def test_features_with_places_are_averaged_over_them(
    make_features: Make, leaking: dict[str, FeatureSet]
) -> None:
    offsets = np.random.default_rng(6).normal(0, 50, (1, 2, 3, CHANNELS))
    offsets -= offsets.mean(axis=(1, 2), keepdims=True)
    spatial = {split: (one.features[:, None, None] + offsets) for split, one in leaking.items()}
    made = splits_of(make_features, **{split: each.astype(np.float32) for split, each in spatial.items()})
    assert pairs(made) == FOUND


def test_of_several_cuts_the_last_is_compared(make_features: Make, leaking: dict[str, FeatureSet]) -> None:
    others = splits_of(make_features, **{split: drawn(9, len(one)) for split, one in leaking.items()})
    joined = {}
    for split, one in leaking.items():
        other = replace(others[split], spec=replace(one.spec, layer="block1_pool"))
        joined[split] = join_features([other, one])
    assert pairs(joined) == FOUND


def test_an_image_found_for_certain_is_not_told_again(leaking: dict[str, FeatureSet]) -> None:
    leaking["test"].rows.digests[7] = leaking["train"].rows.digests[123]
    findings = find_leaks(leaking, kinds=["exact", "near"]).findings
    assert [(one.kind, one.second.id) for one in findings] == [
        ("exact", "test/image7.png"),
        ("near", "test/image9.png"),
    ]


def test_features_of_few_channels_are_left_alone(make_features: Make) -> None:
    same = np.ones((5, 2, 2, 3), np.float32)
    leaks = find_leaks(splits_of(make_features, train=same, test=same), kinds=["near"])
    assert leaks.findings == ()
    assert leaks.notes == ("features of 3 channels tell too little to look for near pictures",)


def test_features_that_are_all_the_same_are_no_finding(make_features: Make) -> None:
    same = np.ones((5, CHANNELS), np.float32)
    assert pairs(splits_of(make_features, train=same, test=same)) == []


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_the_scale_of_features_does_not_matter(
    scale: float, make_features: Make, leaking: dict[str, FeatureSet]
) -> None:
    scaled = {split: one.features * np.float32(scale) for split, one in leaking.items()}
    assert pairs(splits_of(make_features, **scaled)) == FOUND


def test_views_are_not_compared(make_features: Make) -> None:
    train, test = drawn(1, 200), drawn(3, 20)
    train[5] = test[2]
    made = splits_of(make_features, train=train, test=test)
    views = np.zeros(200, np.uint8)
    views[5] = 1
    made["train"] = replace(made["train"], rows=replace(made["train"].rows, views=views))
    assert pairs(made) == []


def test_damaged_features_are_told(leaking: dict[str, FeatureSet]) -> None:
    leaking["test"].features[0, 0] += 1
    with pytest.raises(CacheMismatchError, match="is damaged"):
        pairs(leaking)
