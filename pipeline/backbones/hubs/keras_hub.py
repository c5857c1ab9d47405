"""KerasHub: ``keras-hub:resnet_50_imagenet``, or a folder that a preset was saved to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.backbones.configs.own import write
from pipeline.backbones.preprocessing import Preprocessing, Triple, triple
from pipeline.errors import UsageError
from pipeline.images.geometry import Geometry
from pipeline.images.resizing import FILTERS
from pipeline.progress import say

PACKAGES = ("keras_hub", "tf2onnx", "onnx")
EXTRA = "keras-hub"
EXAMPLE = "resnet_50_imagenet"


def fetch(name: str, folder: Path) -> Path:
    """Downloads a backbone and its image converter, and exports it with Keras.

    Raises:
        UsageError: It is no model of pictures, or its pictures cannot be prepared here as they are there.
    """
    import keras
    import keras_hub

    backbone = keras_hub.models.Backbone.from_preset(name)
    preprocessing = _read(keras_hub.layers.ImageConverter.from_preset(name), f"keras-hub:{name}")
    sides = (preprocessing.size, preprocessing.size, 3)
    pictures = keras.Input(sides, name="pixel_values")
    network = keras.Model(pictures, backbone(pictures))
    network(keras.ops.zeros((1, *sides)))  # only what has been called is exported
    path = folder / "model.onnx"
    network.export(path, format="onnx", verbose=False)
    path.with_suffix(".toml").write_text(write(preprocessing), encoding="utf-8")
    return path


def _read(converter: Any, origin: str) -> Preprocessing:
    """Says what an image converter does: ``pixel * scale + offset``, on a square."""
    height, width = converter.image_size or (0, 0)
    if height != width or not height or converter.interpolation not in FILTERS:
        raise UsageError(
            f"{origin} shows pictures of {height} x {width} pixels, {converter.interpolation}: squares are "
            f"known, and {', '.join(FILTERS)}"
        )
    if converter.pad_to_aspect_ratio:
        raise UsageError(f"{origin} pads pictures to squares, which is not known here")
    if not converter.antialias:
        say(f"note: {origin} was made for pictures that are not antialiased; here they are")
    scale, offset = _three(converter.scale, 1.0), _three(converter.offset, 0.0)
    if not all(scale):
        raise UsageError(f"{origin} scales a colour by 0")
    return Preprocessing(
        origin=origin,
        size=height,
        filter=converter.interpolation,
        geometry=Geometry(height, keeps_ratio=True) if converter.crop_to_aspect_ratio else Geometry(),
        channels="rgb",
        layout="nhwc",
        scale=1.0,
        mean=triple([-one / factor for one, factor in zip(offset, scale, strict=True)]),
        std=triple([1 / factor for factor in scale]),
    )


def _three(value: Any, usual: float) -> Triple:
    if value is None:
        return usual, usual, usual
    return triple([float(one) for one in (value if isinstance(value, list | tuple) else [value] * 3)])
