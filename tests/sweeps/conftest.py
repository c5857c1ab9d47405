"""Rows to compare heads on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet

Make = Callable[..., FeatureSet]


@pytest.fixture
def rows(make_features: Make) -> Make:
    """Makes rows of two noisy classes that a head can tell apart, but not perfectly."""

    def make(n: int, split: str, *, seed: int) -> FeatureSet:
        draw = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        features = draw.normal(size=(n, 2, 2, 4)).astype(np.float32)
        features[..., 0] += 1.2 * labels[:, None, None]
        return make_features(features, labels, split=split)

    return make


@pytest.fixture
def train(rows: Make) -> FeatureSet:
    return rows(60, "train", seed=0)


@pytest.fixture
def valid(rows: Make) -> FeatureSet:
    return rows(40, "val", seed=1)
