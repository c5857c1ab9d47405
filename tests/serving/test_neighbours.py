"""The most similar stored images, worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.cache.features import join_features
from pipeline.serving.neighbours import Neighbours

Make = Callable[..., FeatureSet]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float).ravel(), b.astype(float).ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((40, 6)).astype(np.float16)


def test_flat_features_are_compared_as_they_are(rows: np.ndarray, make_features: Make) -> None:
    found = Neighbours(make_features(rows, np.zeros(40))).nearest(rows[7], 5)
    expected = np.array([cosine(row, rows[7]) for row in rows])
    assert [one.row for one in found] == np.argsort(-expected)[:5].tolist()
    np.testing.assert_allclose([one.similarity for one in found], np.sort(expected)[::-1][:5], atol=1e-5)


def test_where_something_is_in_a_map_does_not_matter(make_features: Make) -> None:
    maps = np.random.default_rng(0).random((5, 3, 4, 64)).astype(np.float32)
    found = Neighbours(make_features(maps, np.zeros(5))).nearest(maps[2, ::-1, ::-1], 1)
    assert found[0].row == 2
    assert found[0].similarity == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("side", [3, 16, 50])
def test_of_pixels_a_coarse_picture_is_kept(side: int, make_features: Make) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, side, side, 3), np.uint8)
    neighbours = Neighbours(make_features(pixels, np.zeros(6)))
    assert neighbours.nearest(pixels[4], 1)[0].row == 4
    assert neighbours.nearest(pixels[4, ::-1], 1)[0].similarity < 0.999


def test_several_cuts_count_the_same(rows: np.ndarray, make_features: Make) -> None:
    large = np.random.default_rng(1).standard_normal((40, 9)).astype(np.float16) * 100
    first, second = make_features(rows, np.zeros(40)), make_features(large, np.zeros(40))
    joined = join_features([first, replace(second, spec=replace(second.spec, layer="block1_pool"))])
    query = np.concatenate([rows[3], large[8]])
    (found,) = Neighbours(joined).nearest(query, 1)
    expected = [(cosine(a, rows[3]) + cosine(b, large[8])) / 2 for a, b in zip(rows, large, strict=True)]
    assert found.row == int(np.argmax(expected))
    assert found.similarity == pytest.approx(max(expected), abs=1e-4)


def test_views_are_no_images(rows: np.ndarray, make_features: Make) -> None:
    features = make_features(rows, np.zeros(40))
    views = np.arange(40, dtype=np.uint8) % 2
    neighbours = Neighbours(replace(features, rows=replace(features.rows, views=views)))
    assert neighbours.total == 20
    assert neighbours.nearest(rows[7], 1)[0].row % 2 == 0


def test_of_too_many_images_a_sample_is_searched(rows: np.ndarray, make_features: Make) -> None:
    features = make_features(rows, np.zeros(40))
    neighbours = Neighbours(features, most_bytes=10 * 6 * 4)
    assert (len(neighbours.rows), neighbours.total) == (10, 40)
    assert neighbours.rows.tolist() == Neighbours(features, most_bytes=10 * 6 * 4).rows.tolist()
    assert {one.row for one in neighbours.nearest(rows[7], 99)} == set(neighbours.rows.tolist())


def test_an_image_without_any_feature_is_like_none(rows: np.ndarray, make_features: Make) -> None:
    found = Neighbours(make_features(rows, np.zeros(40))).nearest(np.zeros(6, np.float16), 3)
    assert [one.similarity for one in found] == [0, 0, 0]
