"""Servers as processes of their own, on pixels: they start in seconds and load no TensorFlow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from photos import Photos
from running_server import CLASSES, Server
from target_photos import target_photos

from pipeline.cache import open_features
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import train_head

COUNTS = {"train": 5, "test": 2}
WITH_VAL = {"train": 5, "val": 12, "test": 2}
"""Enough images of val that the head knows what is unlike its training."""


@contextmanager
def serving(folder: Path, counts: dict[str, int], *options: str) -> Iterator[Server]:
    """Trains a head on so many photographs of each class and split, and serves it."""
    photos, scratch = Photos(folder / "photos"), folder / "tmp"
    scratch.mkdir()
    for split, count in counts.items():
        for name in CLASSES:
            photos.add(f"{split}/{name}", count)
    (extraction,) = extract(
        str(photos.root), FeatureRequest(backbone="pixels", image_size=8), cache=folder / "features_cache"
    )
    train, valid = (
        open_features(extraction.entry, split) if split in counts else None for split in ("train", "val")
    )
    train_head("logreg", train, valid, runs=folder / "runs")
    words = [sys.executable, "-m", "pipeline", "serve", "--data", str(photos.root), "--port", "0", "--json"]
    with started(folder, [*words, *options], photos) as server:
        yield server


@contextmanager
def serving_targets(folder: Path, target: str, *options: str) -> Iterator[Server]:
    """Trains a head on photographs with several labels, or with numbers, and serves it."""
    photos = Photos(folder / "photos")
    (folder / "tmp").mkdir()
    selection = target_photos(photos, target, folder / "features_cache")
    train_head("ridge", selection.open("train"), selection.open("val"), runs=folder / "runs")
    words = [sys.executable, "-m", "pipeline", "serve", "--name", "set", "--head", "ridge", "--port", "0"]
    with started(folder, [*words, "--json", *options], photos) as server:
        yield server


@contextmanager
def started(folder: Path, words: list[str], photos: Photos) -> Iterator[Server]:
    """Starts a server, and ends it."""
    scratch = folder / "tmp"
    process = subprocess.Popen(
        words,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    try:
        yield Server(process, json.loads(process.stdout.readline())["url"], photos, scratch)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served"), COUNTS) as running:
        yield running


@pytest.fixture(scope="session")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its head knows what is unlike the training, and it answers with sets, under other names, too."""
    options = ("--coverage", "0.9", "--hostname", "classifier.example", "--hostname", "Second.example")
    with serving(tmp_path_factory.mktemp("knowing"), WITH_VAL, *options) as running:
        yield running


@pytest.fixture(scope="session")
def labelling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its head answers with several labels an image."""
    with serving_targets(tmp_path_factory.mktemp("labelling"), "labels") as running:
        yield running


@pytest.fixture(scope="session")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its head answers with numbers, and with the interval of each."""
    with serving_targets(tmp_path_factory.mktemp("measuring"), "number", "--coverage", "0.9") as running:
        yield running
