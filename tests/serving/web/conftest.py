"""A server as a process of its own, on pixels: it starts in seconds and loads no TensorFlow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from photos import Photos
from running_server import CLASSES, Server

from pipeline.cache import open_features
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import train_head


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    photos, scratch = Photos(folder / "photos"), folder / "tmp"
    scratch.mkdir()
    for name in CLASSES:
        photos.add(f"train/{name}", 5)
        photos.add(f"test/{name}", 2)
    stage = ["--data", photos.root]
    (extraction,) = extract(
        str(photos.root), FeatureRequest(backbone="pixels", image_size=8), cache=folder / "features_cache"
    )
    features = open_features(extraction.entry, "train")
    train_head("logreg", features, None, runs=folder / "runs")
    words = [sys.executable, "-m", "pipeline", "serve", *map(str, stage), "--port", "0", "--json"]
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(scratch)}
    )
    try:
        yield Server(process, json.loads(process.stdout.readline())["url"], photos, scratch)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
