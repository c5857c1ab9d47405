"""Small feature sets that every head can learn."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import TrainedHead, make_head, train_head
from pipeline.heads._keras.keras_head import ANY, BASE, PIXELS
from pipeline.spec import FeatureSpec

CLASSES = ("ant", "bee", "cat")

SPECS = {
    PIXELS: {"backbone": "pixels", "weights": "none", "layer": "pixels", "image_size": 16, "store": "uint8"},
    BASE: {"backbone": "tiny", "layer": "stem", "image_size": 4},
}
"""How the specs of kinds of features differ from the usual one."""


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of features that the head under test takes; any, where a test is not about one head."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    return getattr(make_head(parameters["name"], {}), "takes", ANY) if "name" in parameters else ANY


@pytest.fixture
def make_toy(
    make_features: Callable[..., FeatureSet], kind: str, spec: FeatureSpec, request: pytest.FixtureRequest
) -> Callable[..., FeatureSet]:
    """Builds ``rows`` labelled rows whose channels tell three classes apart.

    They are (2, 2, 8) float16, the end of a block or, for ``BASE``, the stem of a tiny base; or (16, 16, 3)
    uint8 pixels.
    """
    if kind == BASE:
        request.getfixturevalue("tiny_base")
    own_spec = dataclasses.replace(spec, **SPECS.get(kind, {}))

    def make(split: str = "train", *, rows: int = 60, seed: int = 0, **changes: object) -> FeatureSet:
        random = np.random.default_rng([seed, len(split)])
        labels = np.arange(rows) % len(CLASSES)
        features = _pixels(random, labels) if kind == PIXELS else _activations(random, labels, kind)
        return make_features(
            features, labels, **{"split": split, "classes": CLASSES, "spec": own_spec} | changes
        )

    return make


def _activations(random: np.random.Generator, labels: np.ndarray, kind: str) -> np.ndarray:
    features = random.normal(size=(len(labels), 2, 2, 8))
    features[np.arange(len(labels)), :, :, labels] += 4
    if kind != BASE:  # the random filters above a cut would see nothing but the largest scale
        # Scales as backbones have them: a dead channel, a constant one, and one in the hundreds.
        features[..., 5], features[..., 6] = 0, 300
        features[..., 7] *= 300
    return features.astype(np.float16)


def _pixels(random: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    images = random.integers(0, 100, (len(labels), 16, 16, 3))
    images[np.arange(len(labels)), :, :, labels] += 100
    return images.astype(np.uint8)


@pytest.fixture
def train(make_toy: Callable[..., FeatureSet]) -> FeatureSet:
    return make_toy("train")


@pytest.fixture
def valid(make_toy: Callable[..., FeatureSet]) -> FeatureSet:
    return make_toy("val", rows=30)


@pytest.fixture(scope="module")
def kept() -> dict[str, TrainedHead]:
    """Heads that have been trained and saved, for all tests of a module; they copy what they change."""
    return {}


@pytest.fixture
def saved_copy(
    train: FeatureSet,
    kept: dict[str, TrainedHead],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., TrainedHead]:
    """Saves a head trained on the toy rows under ``tmp_path``; the training happens once a module."""

    def copy(name: str, **options: object) -> TrainedHead:
        key = f"{name} {options}"
        if key not in kept:
            kept[key] = train_head(name, train, None, options=options, runs=tmp_path_factory.mktemp(name))
        one = kept[key]
        folder = tmp_path.joinpath(*one.folder.parts[-3:])
        shutil.copytree(one.folder, folder)
        return dataclasses.replace(one, folder=folder)

    return copy
