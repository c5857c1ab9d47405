"""The most similar stored images among all of several splits, by comparison with the plain formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.cache.features import join_features
from pipeline.cache.mapped_features import MappedFeatures
from pipeline.errors import CacheMismatchError
from pipeline.serving import search as searching
from pipeline.serving.search import search

Make = Callable[..., FeatureSet]


def cosines(rows: np.ndarray, one: np.ndarray) -> np.ndarray:
    rows, one = rows.astype(float), one.astype(float)
    return rows @ one / np.maximum(np.linalg.norm(rows, axis=1), 1e-9) / np.linalg.norm(one)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("negative", [False, True])
def test_the_nearest_of_several_splits_come_first(
    dtype: type, negative: bool, make_features: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "BLOCK_NUMBERS", 6 * 7)
    rows = np.random.default_rng(0).standard_normal((90, 6))
    rows = (rows if negative else np.abs(rows)).astype(dtype)
    rows[5] = 0
    whole = make_features(rows[:60], np.zeros(60))
    files = MappedFeatures(((rows[:25], rows[25:60]),))
    splits = [replace(whole, features=files), make_features(rows[60:], np.zeros(30), split="test")]
    asked = np.abs(np.random.default_rng(1).standard_normal((2, 6))).astype(dtype)
    for image, hits in zip(asked, search(splits, asked, 7), strict=True):
        expected = cosines(rows, image)
        best = np.argsort(-expected, kind="stable")[:7]
        assert [hit.row + 60 * (hit.features is splits[1]) for hit in hits] == best.tolist()
        np.testing.assert_allclose([hit.similarity for hit in hits], expected[best], atol=1e-3)


def test_tokens_are_averaged(make_features: Make) -> None:
    tokens = np.random.default_rng(0).random((20, 5, 64)).astype(np.float16)
    (hits,) = search([make_features(tokens, np.zeros(20))], tokens[4:5, ::-1], 1)
    assert (hits[0].row, hits[0].similarity) == (4, pytest.approx(1, abs=1e-3))


def test_maps_and_several_cuts_are_searched(make_features: Make) -> None:
    random = np.random.default_rng(0)
    maps = random.random((20, 2, 3, 64)).astype(np.float16)
    (hits,) = search([make_features(maps, np.zeros(20))], maps[4:5, ::-1], 2)
    assert (hits[0].row, hits[0].similarity) == (4, pytest.approx(1, abs=1e-3))
    first, second = (make_features(random.random((20, 6)).astype(np.float16), np.zeros(20)) for _ in range(2))
    joined = join_features([first, replace(second, spec=replace(second.spec, layer="block1_pool"))])
    (hits,) = search([joined], joined.features[np.array([3])], 1)
    assert hits[0].row == 3


def test_views_are_no_images_and_few_are_all(make_features: Make) -> None:
    rows = np.eye(4, dtype=np.float16)
    features = make_features(rows, [0, 1, -1, 1])
    views = np.array([0, 1, 0, 0], np.uint8)
    (hits,) = search([replace(features, rows=replace(features.rows, views=views))], rows[1:2], 9)
    assert sorted(hit.row for hit in hits) == [0, 2, 3]
    assert [hit.to_json()["class"] for hit in sorted(hits, key=lambda hit: hit.row)] == [
        "class0",
        None,
        "class1",
    ]
    assert search([], rows, 3) == [[], [], [], []]


def test_a_damaged_row_is_told_when_it_is_found(make_features: Make) -> None:
    rows = np.eye(40, dtype=np.float16)
    features = make_features(rows, np.zeros(40))
    rows[7, 8] = 0.5
    with pytest.raises(CacheMismatchError, match="row 7"):
        search([features], np.eye(40, dtype=np.float16)[7:8], 1)


@pytest.mark.parametrize("target", ["labels", "number"])
def test_what_is_known_of_an_image_is_told_in_the_words_of_its_kind(target: str, make_targets: Make) -> None:
    features = make_targets(target)
    (hits,) = search([features], features.read(np.array([4])), len(features))
    described = {hit.row: hit.to_json() for hit in hits}
    assert len(described) == len(features)
    key = {"labels": "labels", "number": "numbers"}[target]
    assert all("class" not in one for one in described.values())
    assert described[3][key] is None
    values = dict(zip(features.classes, features.targets[4].tolist(), strict=True))
    expected = [name for name, value in values.items() if value] if target == "labels" else values
    assert described[4][key] == expected
    assert features.classes[1] not in described[9][key]
