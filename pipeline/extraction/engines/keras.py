"""Keras on TensorFlow: the default engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.extraction.backbones import load_backbone
from pipeline.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from pipeline.extraction.request import FeatureRequest
    from pipeline.extraction.weights import Weights


class KerasEngine:
    """Runs a Keras model under one traced graph with a fixed batch.

    Attributes:
        batch_size: Images in a batch.
        feature_shapes: Shape of one row per cut.
    """

    def __init__(self, model: keras.Model, *, batch_size: int, store: str) -> None:
        """Traces the forward pass.

        Args:
            model: From ``load_backbone``.
            batch_size: Images in a batch.
            store: dtype of the returned features, cast on the device.
        """
        import tensorflow as tf

        keras = import_keras()
        self.batch_size = batch_size
        self.feature_shapes = [tuple(output.shape[1:]) for output in model.outputs]

        def forward(images: tf.Tensor) -> list[tf.Tensor]:
            outputs = model(images, training=False)
            return [keras.ops.cast(output, store) for output in keras.tree.flatten(outputs)]

        shape = (batch_size, *model.input_shape[1:])
        self._forward = tf.function(forward).get_concrete_function(tf.TensorSpec(shape, tf.uint8))

    def submit(self, images: np.ndarray) -> list[tf.Tensor]:
        """Dispatches a batch, uint8 (batch_size, size, size, 3); on a GPU this returns at once."""
        import tensorflow as tf

        return self._forward(tf.constant(images))

    def fetch(self, pending: list[tf.Tensor]) -> list[np.ndarray]:
        """Waits for a batch and brings it to the host: per cut (batch_size, *feature shape)."""
        return [output.numpy() for output in pending]


def load(request: FeatureRequest, weights: Weights) -> KerasEngine:
    """Loads the base of a request.

    Raises:
        UsageError: A layer is unknown, or the weights do not fit.
    """
    model = load_backbone(
        request.backbone,
        request.cuts,
        weights=weights,
        image_size=request.image_size,
        precision=request.precision,
    )
    return KerasEngine(model, batch_size=request.batch_size, store=request.store)
