"""Heads of labels and of numbers, trained on rows that tell them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import TrainedHead, train_head

MakeTargets = Callable[..., FeatureSet]


@pytest.fixture
def trained(make_targets: MakeTargets, tmp_path: Path) -> Callable[[str], TrainedHead]:
    """Trains a head and saves it."""

    def train(target: str) -> TrainedHead:
        train, val = (make_targets(target, split) for split in ("train", "val"))
        return train_head("ridge", train, val, runs=tmp_path / "runs")

    return train
