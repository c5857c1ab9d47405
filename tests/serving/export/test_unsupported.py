"""A network that a format cannot hold is refused, not written with holes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.runtimes.keras import import_keras
from pipeline.serving.export import onnx

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def test_onnx_refuses_an_operation_that_it_does_not_have(tmp_path: Path) -> None:
    keras = import_keras()
    images = keras.Input((4, 4, 3), dtype="uint8", name="images")
    outputs = keras.layers.Activation("gelu")(keras.layers.Rescaling(1.0)(images))  # as in ConvNeXt
    network = keras.Model(images, keras.layers.Identity(name="probabilities")(outputs))

    with pytest.raises(UsageError, match=r"cannot be written as ONNX \(No Op registered for Erfc"):
        onnx.write(network, tmp_path / "model.onnx", about={})

    assert not list(tmp_path.iterdir())
