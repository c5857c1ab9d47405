"""The OpenVINO engine computes what the Keras base computes, and keeps batches apart."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from photos import noise

from pipeline.backbones import keras_base
from pipeline.backbones.loading import load_backbone
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import UsageError
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.engines import openvino as engine_module
from pipeline.extraction.engines.openvino import OpenVinoEngine
from pipeline.extraction.request import FeatureRequest
from pipeline.extraction.settle import SettledRequest

RANDOM = resolve_weights("vgg16", "random", 32)
CUTS = ("block5_pool", "block3_pool:avg", "block4_conv2:max")
"""Not in alphabetical order, in which OpenVINO puts its outputs."""
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}
"""Relative; the bfloat16 of Keras itself is as far from float32."""


def relative_error(features: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(features - expected) / np.linalg.norm(expected))


def load(**changes: Any) -> OpenVinoEngine:
    given = {"backbone": "vgg16", "image_size": 32, "precision": "float32", "engine": "openvino"}
    return engine_module.load(SettledRequest(**(given | changes)), RANDOM)


@pytest.fixture
def images() -> np.ndarray:
    return np.array([noise(i) for i in range(5)])


@pytest.fixture
def huge_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of a base: one convolution, whose features are beyond the range of float16."""
    import keras

    def load(*_: object, **__: object) -> keras.Model:
        pixels = keras.Input((32, 32, 3), dtype="uint8")
        scaled = keras.layers.Rescaling(1.0)(pixels)
        return keras.Model(
            pixels, keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.Constant(100.0))(scaled)
        )

    monkeypatch.setattr(keras_base, "load_backbone", load)


@pytest.mark.parametrize(
    ("backbone", "layers", "size"), [("vgg16", CUTS, 32), ("mobilenet_v2_035", (), 40), ("mobilenet", (), 32)]
)
def test_features_are_those_of_keras(backbone: str, layers: tuple[str, ...], size: int) -> None:
    images = np.array([noise(i, size) for i in range(3)])
    request = FeatureRequest(backbone=backbone, layers=layers, image_size=size)
    base = load_backbone(backbone, request.cuts, weights=RANDOM, image_size=size)
    expected = base(images, training=False)
    expected = [np.asarray(one) for one in (expected if isinstance(expected, list) else [expected])]
    for precision in engine_module.precisions():
        engine = load(backbone=backbone, layers=layers, image_size=size, precision=precision, store="float32")
        assert engine.feature_shapes == [one.shape[1:] for one in expected]
        for features, right in zip(engine.fetch(engine.submit(images)), expected, strict=True):
            assert features.dtype == np.float32
            assert relative_error(features, right) < TOLERANCE[precision]


def test_a_row_does_not_depend_on_its_batch(images: np.ndarray) -> None:
    engine = load(layers=("block3_pool",), store="float32")
    (together,) = engine.fetch(engine.submit(images))
    (again,) = engine.fetch(engine.submit(images))
    np.testing.assert_array_equal(again, together)
    alone = [engine.fetch(engine.submit(images[i : i + 1]))[0] for i in range(len(images))]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-5, atol=1e-3)


def test_later_batches_leave_the_features_of_earlier_ones_alone(images: np.ndarray) -> None:
    engine = load(layers=("block1_pool",))
    expected = [engine.fetch(engine.submit(images[i : i + 1]))[0] for i in range(len(images))]
    fetched, pending = [], engine.submit(images[:1])
    for i in range(1, len(images)):
        following = engine.submit(images[i : i + 1])
        fetched.append(engine.fetch(pending)[0])
        pending = following
    fetched.append(engine.fetch(pending)[0])
    np.testing.assert_array_equal(fetched, expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_overflow_of_the_stored_dtype_shows_as_infinity(
    precision: str, images: np.ndarray, huge_base: None
) -> None:
    if precision not in engine_module.precisions():
        pytest.skip(f"this machine has no {precision}")
    engine = load(precision=precision)
    (features,) = engine.fetch(engine.submit(images))
    assert features.dtype == np.float16
    assert np.isinf(features).all()


def test_a_batch_beyond_the_memory_is_told_from_other_failures(
    images: np.ndarray, huge_base: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Request:
        def __init__(self, message: str) -> None:
            self.message = message

        def start_async(self, *_: object, **__: object) -> None:
            raise RuntimeError(self.message)

    engine = load()
    engine._idle = [
        Request("Exception from cpu: shapes differ"),
        Request("Exception from cpu: std::bad_alloc"),
    ]
    with pytest.raises(BatchTooLargeError):
        engine.submit(images)
    with pytest.raises(RuntimeError, match="shapes differ"):
        engine.submit(images)


def test_a_larger_image_takes_more_memory() -> None:
    small, large = (load(layers=("block1_pool",), image_size=size).bytes_per_image for size in (32, 64))
    assert large == 4 * small == 3 * 4 * (64 * 64 * 64)


def test_what_the_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "precisions", lambda: ["float32"])
    with pytest.raises(
        UsageError, match=r"unknown precision on this machine 'bfloat16'.*: choose from auto, float32, int8"
    ):
        load(precision="bfloat16")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        UsageError,
        match=r"engine 'openvino' needs the package openvino: .*pip install openvino.*--engine keras",
    ):
        load()


def test_nothing_is_reported_to_the_makers() -> None:
    load(layers=("block1_conv1",))
    assert "openvino_telemetry" not in sys.modules
