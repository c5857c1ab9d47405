"""Small feature sets that every head can learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet

CLASSES = ("ant", "bee", "cat")


@pytest.fixture
def make_toy(make_features: Callable[..., FeatureSet]) -> Callable[..., FeatureSet]:
    """Builds ``rows`` labelled rows, (2, 2, 8) float16, whose channels tell three classes apart."""

    def make(split: str = "train", *, rows: int = 60, seed: int = 0, **changes: object) -> FeatureSet:
        random = np.random.default_rng([seed, len(split)])
        labels = np.arange(rows) % len(CLASSES)
        features = random.normal(size=(rows, 2, 2, 8))
        features[np.arange(rows), :, :, labels] += 4
        # Scales as backbones have them: a dead channel, a constant one, and one in the hundreds.
        features[..., 5], features[..., 6] = 0, 300
        features[..., 7] *= 300
        return make_features(
            features.astype(np.float16), labels, **{"split": split, "classes": CLASSES} | changes
        )

    return make


@pytest.fixture
def train(make_toy: Callable[..., FeatureSet]) -> FeatureSet:
    return make_toy("train")


@pytest.fixture
def valid(make_toy: Callable[..., FeatureSet]) -> FeatureSet:
    return make_toy("val", rows=30)
