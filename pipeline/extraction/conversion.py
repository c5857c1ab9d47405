"""From Keras to OpenVINO: the same base, filters and preprocessing included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.backbones.loading import load_backbone
from pipeline.keras_runtime import import_keras
from pipeline.openvino_runtime import import_openvino

if TYPE_CHECKING:
    import openvino
    import tensorflow as tf

    from pipeline.backbones.weights import Weights
    from pipeline.extraction.request import FeatureRequest


def convert_base(request: FeatureRequest, weights: Weights) -> openvino.Model:
    """Loads the base of a request with Keras and converts its traced graph.

    Returns:
        A model from uint8 (n, image_size, image_size, 3) RGB, n open, to one float32 output
        (n, *feature shape) per cut, each found by the cut's name: OpenVINO keeps no order.

    Raises:
        UsageError: OpenVINO is not installed, a layer is unknown or no clean cut, or the weights do not fit.
    """
    openvino = import_openvino()  # before TensorFlow, which takes seconds to load
    keras = import_keras()
    import tensorflow as tf

    base = load_backbone(request.backbone, request.cuts, weights=weights, image_size=request.image_size)

    def forward(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = keras.tree.flatten(base(images, training=False))
        return {str(cut): output for cut, output in zip(request.cuts, outputs, strict=True)}

    signature = tf.TensorSpec((None, *base.input_shape[1:]), tf.uint8, name="images")
    traced = tf.function(forward).get_concrete_function(signature)
    return openvino.convert_model(traced, share_weights=False)  # shared, they would live in TensorFlow
