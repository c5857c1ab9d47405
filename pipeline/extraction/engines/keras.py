"""Keras on TensorFlow: the engine for GPUs, and for what OpenVINO cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.backbones.loading import load_backbone
from pipeline.errors import unknown
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.hardware import has_bfloat16
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from pipeline.backbones.weights import Weights
    from pipeline.extraction.settle import SettledRequest

LIVE_ACTIVATIONS = 3  # a layer's input, its output, and the scratch space of its convolution


class KerasEngine:
    """Runs a Keras model under one traced graph.

    Attributes:
        feature_shapes: Shape of one row per cut.
        bytes_per_image: Memory that one more image in a batch takes, roughly.
        ahead: Batches under way while another is fetched: one, as a GPU computes them in turn.
    """

    ahead = 1

    def __init__(self, model: keras.Model, *, store: str, constants: bool = False) -> None:
        """Traces the forward pass.

        Args:
            model: From ``load_backbone``.
            store: dtype of the returned features, cast on the device.
            constants: Whether the graph holds the filters as constants. Only then can TensorFlow fold batch
                normalisation into the kernels before them.
        """
        import tensorflow as tf

        keras = import_keras()
        self.feature_shapes = [tuple(output.shape[1:]) for output in model.outputs]
        self.bytes_per_image = LIVE_ACTIVATIONS * _largest_activation(model)
        frozen = [(variable, variable.numpy()) for variable in model.variables] if constants else []

        def forward(images: tf.Tensor) -> list[tf.Tensor]:
            with keras.StatelessScope([(variable, tf.constant(value)) for variable, value in frozen]):
                outputs = model(images, training=False)
            return [keras.ops.cast(output, store) for output in keras.tree.flatten(outputs)]

        signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
        self._forward = tf.function(forward).get_concrete_function(signature)

    def submit(self, images: np.ndarray) -> list[tf.Tensor]:
        """Dispatches a batch, uint8 (n, size, size, 3); on a GPU this returns at once."""
        import tensorflow as tf

        try:
            return self._forward(tf.constant(images))
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise BatchTooLargeError from error

    def fetch(self, pending: list[tf.Tensor]) -> list[np.ndarray]:
        """Waits for a batch and brings it to the host: per cut (n, *feature shape)."""
        import tensorflow as tf

        try:
            return [output.numpy() for output in pending]
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise BatchTooLargeError from error


def precisions() -> list[str]:
    """Lists the arithmetics that this machine can be expected to be fast in, float32 first."""
    if _has_gpu():
        return ["float32", "bfloat16", "float16"]
    return ["float32", "bfloat16"] if has_bfloat16() else ["float32"]


def _has_gpu() -> bool:
    import_keras()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def load(request: SettledRequest, weights: Weights) -> KerasEngine:
    """Loads the base of a request.

    Raises:
        UsageError: This machine lacks the arithmetic, a layer is unknown or no clean cut, or the weights do
            not fit.
    """
    known = ["float32", "bfloat16"]  # a processor without it computes bfloat16 slowly, but alike
    if request.precision not in known and not _has_gpu():
        raise unknown("precision on this machine", request.precision, ["auto", *known])
    model = load_backbone(
        request.backbone,
        request.cuts,
        weights=weights,
        image_size=request.image_size,
        precision=request.precision,
    )
    # VGG16 has nothing to fold and loses a little as constants (benchmarks/constant_filters.py).
    return KerasEngine(model, store=request.store, constants=_has_batch_normalization(model))


def _has_batch_normalization(model: keras.Model) -> bool:
    return any(isinstance(layer, import_keras().layers.BatchNormalization) for layer in _layers(model))


def _layers(model: keras.Model) -> list[keras.Layer]:
    """Lists the layers of a model and of the base inside it."""
    return [inner for layer in model.layers for inner in getattr(layer, "layers", [layer])]


def _largest_activation(model: keras.Model) -> int:
    """Bytes of the largest layer output of one image, in float32."""
    shapes = [
        output.shape for layer in _layers(model) for output in import_keras().tree.flatten(layer.output)
    ]
    return max(4 * int(np.prod([extent or 1 for extent in shape[1:]])) for shape in shapes)
