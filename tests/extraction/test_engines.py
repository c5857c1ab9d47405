"""Engines: full batches of pixels in, one array a cut out, in the stored dtype."""

from __future__ import annotations

import numpy as np
import pytest
from photos import noise

from pipeline import registry
from pipeline.backbones.weights import resolve_weights
from pipeline.extraction import engines
from pipeline.extraction.engines.keras import KerasEngine
from pipeline.extraction.request import FeatureRequest
from pipeline.extraction.settle import SettledRequest


@pytest.mark.parametrize("name", registry.names(engines))
def test_every_engine_loads_a_request(name: str) -> None:
    row = "pixels" if name == "pixels" else "mobilenet_v2_035"
    engine = "keras" if name == "pixels" else name
    request = SettledRequest(
        backbone=row, image_size=32, weights="random", precision="float32", engine=engine
    )
    assert request.engine == name
    weights = resolve_weights(row, "random", 32)
    (spec,) = request.specs(weights)
    engine = registry.load(engines, "engine", name).load(request, weights)
    images = np.array([noise(i) for i in range(3)])
    (features,) = engine.fetch(engine.submit(images))
    assert features.shape == (3, *engine.feature_shapes[0])
    assert features.dtype == spec.store


def test_pixels_are_returned_as_they_are() -> None:
    request = FeatureRequest(backbone="pixels", image_size=32)
    engine = registry.load(engines, "engine", "pixels").load(request, resolve_weights("pixels", "none", 32))
    images = np.array([noise(1), noise(2)])
    (features,) = engine.fetch(engine.submit(images))
    np.testing.assert_array_equal(features, images)
    assert engine.feature_shapes == [(32, 32, 3)]


def test_training_behaviour_is_off() -> None:
    import keras

    images = keras.Input((4, 4, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1.0)(images)
    dropped = keras.layers.Dropout(0.9, seed=0)(scaled)
    normal = keras.layers.BatchNormalization(epsilon=0.0)(dropped)
    engine = KerasEngine(keras.Model(images, normal), store="float32")
    batch = np.array([noise(1, 4), noise(2, 4)])
    (features,) = engine.fetch(engine.submit(batch))
    np.testing.assert_array_equal(features, batch.astype(np.float32))


def test_overflow_of_the_stored_dtype_shows_as_infinity() -> None:
    import keras

    images = keras.Input((2, 2, 3), dtype="uint8")
    engine = KerasEngine(keras.Model(images, keras.layers.Rescaling(1000.0)(images)), store="float16")
    (features,) = engine.fetch(engine.submit(np.full((1, 2, 2, 3), 255, np.uint8)))
    assert features.dtype == np.float16
    assert np.isinf(features).all()
