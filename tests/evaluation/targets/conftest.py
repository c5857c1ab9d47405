"""Heads of labels and of numbers, trained on rows that tell them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import TrainedHead, train_head
from pipeline.images.targets import LABELS

NAMES = {"labels": ("=red", "<b>round</b>"), "number": ("size", "<b>age</b>")}

MakeTargets = Callable[..., FeatureSet]


@pytest.fixture
def make_targets(make_features: Callable[..., FeatureSet]) -> MakeTargets:
    """Builds rows whose first two channels tell the targets; of some rows one or both are unknown."""

    def make(target: str, split: str, *, rows: int = 60, groups: int = 0) -> FeatureSet:
        random = np.random.default_rng([len(split), rows])
        features = random.normal(size=(rows, 6))
        marks = random.integers(0, 2, (rows, 2))
        features[:, :2] += 2 * marks
        noise = random.normal(scale=0.3, size=(rows, 2))
        values = (marks if target == LABELS else features[:, :2] + noise).astype(np.float32)
        values[::9, 1] = np.nan
        values[3] = np.nan
        made = make_features(
            features.astype(np.float16), np.full(rows, -1), split=split, classes=NAMES[target]
        )
        names = [f"g{i % groups}" for i in range(rows)] if groups else ()
        return replace(made, rows=replace(made.rows, targets=values, groups=names), target=target)

    return make


@pytest.fixture
def trained(make_targets: MakeTargets, tmp_path: Path) -> Callable[[str], TrainedHead]:
    """Trains a head and saves it."""

    def train(target: str) -> TrainedHead:
        train, val = (make_targets(target, split) for split in ("train", "val"))
        return train_head("ridge", train, val, runs=tmp_path / "runs")

    return train
