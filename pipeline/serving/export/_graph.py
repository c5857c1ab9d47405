"""A network as one TensorFlow function that holds its filters as constants, for converters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from pipeline.keras_runtime import import_keras
from pipeline.serving.export._network import INPUT, OUTPUT

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def signature(network: keras.Model) -> list[tf.TensorSpec]:
    """Returns the type of the one input, uint8 (any n, size, size, 3)."""
    import tensorflow as tf

    return [tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name=INPUT)]


def constant_function(network: keras.Model) -> tf.Function:
    """Wraps a network as a function ``images -> {"probabilities": ...}`` without variables.

    Converters turn variables into constants by themselves, and some are missed: of a MobileNetV2 LiteRT kept
    a few that nothing ever set, and answered with noise.
    """
    import tensorflow as tf

    keras = import_keras()
    _hold_moments_as_arrays(network)
    frozen = [(variable, variable.numpy()) for variable in network.variables]

    def forward(images: tf.Tensor) -> dict[str, tf.Tensor]:
        with keras.StatelessScope([(variable, tf.constant(value)) for variable, value in frozen]):
            return {OUTPUT: network(images, training=False)}

    return tf.function(forward, input_signature=signature(network), autograph=False)


def _hold_moments_as_arrays(network: keras.Model) -> None:
    """Replaces the tensors of normalisation layers, which would become inputs of the graph, by arrays.

    The layers answer as before.
    """
    for layer in _layers(network):
        if isinstance(layer, import_keras().layers.Normalization):
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)


def _layers(network: keras.Model) -> Iterator[keras.Layer]:
    for layer in network.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else (layer,)
