"""A head trained on tiny photographs, to answer for others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from photos import Photos

from pipeline.cache.features import Selection
from pipeline.extraction import Extraction
from pipeline.heads import TrainedHead, train_head

Trained = tuple[Selection, TrainedHead]


@pytest.fixture
def trained(photos: Photos, run: Callable[..., list[Extraction]], tmp_path: Path) -> Callable[..., Trained]:
    """Makes features of two classes with the counting engine, and a head on them."""
    for folder in ("train/cats", "train/dogs", "test/cats", "test/dogs"):
        photos.add(folder, 4)

    def train(head: str = "logreg", **request: object) -> Trained:
        selection = Selection(tuple(extraction.entry for extraction in run(**request)))
        return selection, train_head(head, selection.open("train"), None, runs=tmp_path / "runs")

    return train
