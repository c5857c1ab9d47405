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


@pytest.fixture
def target_splits(make_features: Callable[..., FeatureSet]) -> Callable[..., list[FeatureSet]]:
    """Builds two splits of two labels or numbers that features tell; of train, ``WRONG`` are wrong in one."""

    def make(kind: str, *, planted: bool = True, whole: bool = True) -> list[FeatureSet]:
        found = []
        for seed, (split, n) in enumerate((("train", 61), ("test", 30))):
            draw = np.random.default_rng(seed)
            features = draw.normal(scale=1 if split == "train" else 3, size=(n, 20)).astype(np.float32)
            told = np.stack([np.arange(n) % 2, np.arange(n) // 2 % 2], axis=1)
            shift = 1.5 * (2 * told[:, :1] - 1)
            if split == "train":
                shift[list(WRONG)] *= 2  # typical of what they really are
            features[:, :5] += shift
            features[:, 5:10] += 2 * (2 * told[:, 1:] - 1)
            noise = draw.uniform(-0.3, 0.3, size=(n, 2))
            targets = (told if kind == "labels" else 4 * told + noise).astype(np.float32)
            if split == "train":
                if planted:
                    rows = list(WRONG)
                    targets[rows, 0] = 1 - targets[rows, 0] if kind == "labels" else 30
                targets[60] = np.nan
            if not whole:
                targets[::7, 1] = np.nan
            made = make_features(features, np.full(n, -1), split=split, classes=("=red", "<b>round</b>"))
            if kind != "labels":
                made = replace(made, classes=("size", "<b>age</b>"))
            named = replace(made.rows, ids=[f"{split}/{i}.png" for i in range(n)], targets=targets)
            found.append(replace(made, rows=named, target=kind))
        return found

    return make
