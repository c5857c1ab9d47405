"""Trained heads on features of small bases, with the photographs behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cache.features import Selection
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import TrainedHead, train_head

CLASSES = ("china", "flower")
SIZE = 32


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of JPEG crops of the two photographs inside scikit-learn: 18 train, 6 val, 16 test."""
    from sklearn.datasets import load_sample_images

    root = tmp_path_factory.mktemp("photographs") / "crops"
    random = np.random.default_rng(0)
    for name, photo in zip(CLASSES, load_sample_images().images, strict=True):
        for split, count in (("train", 12), ("test", 8)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                top, left = (int(random.integers(extent - 96)) for extent in photo.shape[:2])
                Image.fromarray(photo[top : top + 96, left : left + 96]).save(folder / f"{number:02}.jpg")
    return root


Train = Callable[..., tuple[TrainedHead, Selection]]


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[TrainedHead, Selection]]:
    """The heads that tests of one file have trained, by what was asked for."""
    return {}


@pytest.fixture
def train(
    crops: Path,
    known: dict[str, tuple[TrainedHead, Selection]],
    tmp_path_factory: pytest.TempPathFactory,
    tiny_base: None,
) -> Train:
    """Extracts features of the crops in float32 and trains a head on them, once for all tests of a file.

    ``own`` gives a test a head that it may change.
    """

    def train(
        name: str, *, options: dict[str, object] | None = None, own: bool = False, **request: object
    ) -> tuple[TrainedHead, Selection]:
        asked = repr((name, options, request))
        if not own and asked in known:
            return known[asked]
        folder = tmp_path_factory.mktemp("trained")
        base = {"backbone": "tiny", "weights": "random", "image_size": SIZE, "precision": "float32"}
        wanted = FeatureRequest(**(base | {"batch_size": 8} | request))
        done = extract(str(crops), wanted, cache=folder / "features")
        chosen = Selection(tuple(extraction.entry for extraction in done))
        trained = train_head(name, chosen.open("train"), None, options=options or {}, runs=folder / "runs")
        if not own:
            known[asked] = trained, chosen
        return trained, chosen

    return train
