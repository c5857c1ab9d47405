"""Base and head as one network, from pixels to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.backbones.loading import load_backbone, preprocess
from pipeline.backbones.table import Cut, find_backbone
from pipeline.backbones.weights import weights_of
from pipeline.errors import UsageError
from pipeline.heads import Layered, Temperature, TrainedHead, layered_heads
from pipeline.heads._temperature import FLOOR
from pipeline.keras_runtime import import_keras
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT = "images", "probabilities"
OPTION = "--weights PATH"


def build_network(trained: TrainedHead, weights: str | None) -> keras.Model:
    """Puts a trained head on the base that its features came from, preprocessing included.

    Everything is computed in float32. Features are not rounded to float16 in between, as they were in the
    cache: that moves a probability by a few ten-thousandths, and every runtime takes the graph.

    Args:
        trained: The head.
        weights: A file with the filters of the base, ``imagenet``, ``random:<seed>``, or None to find them by
            their identity.

    Returns:
        A model of Keras's own layers, those of the head among them, from ``images``, uint8 (n, size, size, 3)
        RGB, to ``probabilities``, float32 (n, k) in the order of the head's classes. Nothing is trainable.

    Raises:
        UsageError: The head is no network, or the filters cannot be found.
        CacheMismatchError: The filters are others than those that made the features.
    """
    head = _head_network(trained)
    head.name = "head"
    base = _base(trained.spec, weights)
    keras = import_keras()
    size = trained.spec.image_size
    images = keras.Input((size, size, 3), dtype="uint8", name=INPUT)
    answers = _over_all_classes(_calibrated(head(base(images)), trained.temperature), trained)
    network = keras.Model(images, keras.layers.Identity(name=OUTPUT)(answers), name="classifier")
    network.trainable = False
    return network


def _head_network(trained: TrainedHead) -> keras.Model:
    if not isinstance(trained.head, Layered):
        raise UsageError(
            f"head {trained.name!r} cannot be exported: its answers are not those of layers, which is all "
            f"that the formats hold. These heads can: {', '.join(layered_heads())}"
        )
    return trained.head.to_network(trained.model, trained.task)


def _base(spec: FeatureSpec, choice: str | None) -> keras.Model:
    """Builds what stands before the head: (n, *feature shape), the flat features of joined cuts in a row."""
    keras = import_keras()
    images = keras.Input((spec.image_size, spec.image_size, 3), dtype="uint8")
    if not find_backbone(spec.backbone, spec.image_size).factory:
        return keras.Model(images, preprocess(images, "none"), name="base")
    model = load_backbone(
        spec.backbone,
        _cuts(spec),
        weights=weights_of(spec, choice, option=OPTION),
        image_size=spec.image_size,
    )
    features = keras.tree.flatten(model(images))
    if len(features) > 1:
        features = [keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in features])]
    return keras.Model(images, features[0], name="base")


def _cuts(spec: FeatureSpec) -> list[Cut]:
    """Reads the cuts of a spec, several joined with ``+``."""
    layers, poolings = spec.layer.split("+"), spec.pooling.split("+")
    if len(poolings) == 1:
        poolings *= len(layers)
    return [Cut(layer, pooling) for layer, pooling in zip(layers, poolings, strict=True)]


def _calibrated(answers: keras.KerasTensor, temperature: Temperature | None) -> keras.KerasTensor:
    """Brings probabilities to a temperature, as ``Temperature.apply`` does."""
    if temperature is None:
        return answers
    keras = import_keras()
    logits = keras.ops.log(keras.ops.maximum(answers, FLOOR))
    return keras.layers.Softmax(name="calibrated")(logits / temperature.value)


def _over_all_classes(answers: keras.KerasTensor, trained: TrainedHead) -> keras.KerasTensor:
    """Gives classes without training rows, of which a head knows nothing, the probability 0."""
    seen = np.flatnonzero(trained.class_counts)
    if len(seen) == len(trained.classes):
        return answers
    places = import_keras().layers.Dense(len(trained.classes), use_bias=False, name="all_classes")
    spread = places(answers)
    places.set_weights([np.eye(len(trained.classes), dtype=np.float32)[seen]])
    return spread
