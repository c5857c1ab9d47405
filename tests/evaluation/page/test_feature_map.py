from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline.cache.features import join_features
from pipeline.evaluation.page.feature_map import map_features


def clusters(n: int, *shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns float32 (n, *shape) features in two clusters, and the labels (n,)."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    features = random.normal(size=(n, *shape)) + 6 * labels.reshape(-1, *[1] * len(shape))
    return features.astype(np.float32), labels


@pytest.mark.parametrize("shape", [(8,), (3, 3, 64), (20, 20, 3), (1,)])
def test_clusters_of_features_are_apart_on_the_map(make_features, shape):
    features, labels = clusters(60, *shape)
    found = map_features(make_features(features, labels))
    assert found.rows.tolist() == list(range(60))
    for name, plane in found.layouts.items():
        assert plane.shape == (60, 2)
        assert plane.min() >= 0
        assert plane.max() <= 1
        centres = np.array([plane[labels == label].mean(axis=0) for label in (0, 1)])
        spread = max(plane[labels == label].std(axis=0).max() for label in (0, 1))
        assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread, name
        assert found.notes[name]


def test_the_same_features_give_the_same_map(make_features):
    features = make_features(*clusters(40, 6))
    first, second = map_features(features, seed=1), map_features(features, seed=1)
    assert list(first.layouts) == ["t-SNE", "PCA"]
    for name in first.layouts:
        assert np.array_equal(first.layouts[name], second.layouts[name])


def test_of_many_rows_a_sample_is_drawn_in_order(make_features):
    found = map_features(make_features(*clusters(50, 4)), most=20)
    assert len(found.rows) == len(set(found.rows.tolist())) == len(found.layouts["PCA"]) == 20
    assert (np.diff(found.rows) > 0).all()
    assert not np.array_equal(found.rows, np.arange(20))


def test_augmented_views_are_no_points_of_their_own(make_features):
    features = make_features(*clusters(40, 4))
    views = (np.arange(40) % 4).astype(np.uint8)
    features = dataclasses.replace(features, rows=dataclasses.replace(features.rows, views=views))
    assert map_features(features).rows.tolist() == list(range(10))


def test_joined_cuts_are_laid_out_together(make_features):
    wide, labels = clusters(30, 2, 2, 64)
    narrow, _ = clusters(30, 5, seed=1)
    joined = join_features([make_features(wide, labels), make_features(narrow, labels)])
    assert len(map_features(joined).layouts["t-SNE"]) == 30


@pytest.mark.parametrize(
    "features",
    [np.zeros((2, 4)), np.zeros((0, 4)), np.ones((9, 4)), np.full((9, 2, 2, 64), 0.1)],
    ids=["two rows", "none", "all the same", "all the same, rounded"],
)
def test_without_differences_there_is_no_map(make_features, features):
    labels = np.zeros(len(features))
    assert map_features(make_features(features.astype(np.float32), labels)) is None


@pytest.mark.parametrize("n", [3, 4, 9, 10, 11])
def test_few_rows_are_laid_out_too(make_features, n):
    found = map_features(make_features(*clusters(n, 5)))
    assert ("t-SNE" in found.layouts) == (n >= 10)
    assert all(np.isfinite(plane).all() for plane in found.layouts.values())


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_extreme_features_stay_finite(make_features, scale):
    features, labels = clusters(30, 6)
    found = map_features(make_features(features * np.float32(scale), labels))
    assert np.isfinite(found.layouts["t-SNE"]).all()


def test_the_script_is_told_every_point(make_case):
    case = make_case(("cats", "dogs"), n=40, unlabelled=2)
    text = case.write()
    data = json.loads(text.split('id="map-data">')[1].split("</script>")[0])
    assert data["names"] == case.report.rows.ids
    assert data["truth"] == case.report.rows.labels.tolist()
    assert data["guess"] == case.report.probabilities.argmax(axis=1).tolist()
    assert data["slots"] == list(range(40))
    assert len(data["sheets"]) == 1
    for xs, ys in data["layouts"].values():
        assert len(xs) == len(ys) == 40
        assert 0 <= min(xs + ys) <= max(xs + ys) <= data["unit"]
