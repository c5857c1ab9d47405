"""EfficientNet-Lite0 as ONNX on photographs, both from beside the checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from pipeline.cache import open_features
from pipeline.extraction import FeatureRequest, extract
from pipeline.images.source_options import SourceOptions

MEAN, STD = np.float32(127 / 255), np.float32(128 / 255)
COUNT = 6


@pytest.fixture
def pictures(shared: Path, tmp_path: Path) -> list[Path]:
    """A few photographs in a folder of their own, some lying and some standing."""
    found = []
    for kind in ("cats", "dogs"):
        folder = tmp_path / "photos" / "train" / kind
        folder.mkdir(parents=True)
        for path in sorted((shared / "data/cats_and_dogs_small/train" / kind).iterdir())[:COUNT]:
            (folder / path.name).symlink_to(path)
            found.append(folder / path.name)
    return found


def test_cached_features_are_those_of_onnx_runtime(
    shared: Path, pictures: list[Path], tmp_path: Path
) -> None:
    network = shared / "weights/efficientnet_lite0/efficientnet_lite0_imagenet.onnx"
    exact = {"store": "float32", "precision": "float32", "resize": "bicubic-antialias"}
    request = FeatureRequest(backbone=str(network), layers=("features", "pooled"), batch_size=4, **exact)
    reports = extract(
        str(tmp_path / "photos"),
        request,
        cache=tmp_path / "cache",
        source_options=SourceOptions(follow_links=True),
    )
    maps, pooled = (open_features(report.entry, "train") for report in reports)
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    by_name = {path.name: path for path in pictures}
    for row, name in enumerate(maps.rows.ids):
        wanted = session.run(["features", "pooled"], {"pixel_values": prepared(by_name[Path(name).name])})
        np.testing.assert_allclose(
            maps.to_memory()[row], wanted[0][0].transpose(1, 2, 0), atol=1e-4 * wanted[0].max()
        )
        np.testing.assert_allclose(pooled.to_memory()[row], wanted[1][0], atol=1e-4 * wanted[1].max())


def prepared(path: Path) -> np.ndarray:
    """Does by hand what BitImageProcessor does: float32 (1, 3, 224, 224)."""
    with Image.open(path) as image:
        width, height = image.size
        sides = (256, int(256 * height / width)) if width <= height else (int(256 * width / height), 256)
        resized = image.convert("RGB").resize(sides, Image.Resampling.BICUBIC)
    left, top = (sides[0] - 224) // 2, (sides[1] - 224) // 2
    pixels = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32)
    return ((pixels / 255 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None]
