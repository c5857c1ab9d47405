"""A set of two splits with planted label errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet

WRONG = (4, 11, 30)
"""Rows of train whose label is another class's."""


@pytest.fixture
def wrong() -> tuple[int, ...]:
    return WRONG


@pytest.fixture
def splits(make_features: Callable[..., FeatureSet]) -> list[FeatureSet]:
    """Maps of two classes that are easily told apart; the last row of train has no label."""
    found = []
    for seed, (split, n) in enumerate((("train", 61), ("test", 30))):
        draw = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        features = draw.normal(size=(n, 2, 2, 40)).astype(np.float32)
        shift = 1.5 * (2 * labels - 1)
        if split == "train":
            shift[list(WRONG)] *= 2  # typical of the class that they really are of
        features[..., :5] += shift[:, None, None, None]
        if split == "train":
            labels[list(WRONG)] = 1 - labels[list(WRONG)]
            labels[60] = -1
        made = make_features(features, labels, split=split, classes=("cats", "dogs"))
        found.append(replace(made, rows=replace(made.rows, ids=[f"{split}/{i}.png" for i in range(n)])))
    return found
