"""Base and head as one network, from pixels to probabilities, or to numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.backbones.finding import base_of
from pipeline.backbones.loading import load_backbone, preprocess
from pipeline.backbones.table import Cut, find_backbone
from pipeline.backbones.weights import weights_of
from pipeline.cache.features import single_specs
from pipeline.errors import UsageError
from pipeline.heads import Layered, Temperature, TrainedHead, layered_heads
from pipeline.heads._core.temperature import FLOOR
from pipeline.images.targets import CLASS
from pipeline.runtimes.keras import import_keras
from pipeline.serving.export._familiarity import FAMILIARITY, familiarity_of
from pipeline.serving.export._kinds import kind_of
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

INPUT, FEATURES = "images", "features"
OPTION = "--weights PATH"


def signature(network: keras.Model) -> list[tf.TensorSpec]:
    """Returns the type of the one input: ``images``, uint8 (any n, size, size, 3), or features."""
    import tensorflow as tf

    (given,) = network.inputs
    return [tf.TensorSpec((None, *given.shape[1:]), given.dtype, name=given.name)]


def constant_function(network: keras.Model) -> tf.Function:
    """Wraps a network as a function ``images -> {"probabilities": ..., ...}`` without variables.

    Converters turn variables into constants by themselves, and some are missed: of a MobileNetV2 LiteRT kept
    a few that nothing ever set, and answered with noise.
    """
    import tensorflow as tf

    keras = import_keras()
    _hold_moments_as_arrays(network)
    frozen = [(variable, variable.numpy()) for variable in network.variables]

    def forward(images: tf.Tensor) -> dict[str, tf.Tensor]:
        with keras.StatelessScope([(variable, tf.constant(value)) for variable, value in frozen]):
            return answers_by_name(network, images)

    return tf.function(forward, input_signature=signature(network), autograph=False)


def answers_by_name(network: keras.Model, images: Any) -> dict[str, Any]:
    """Runs a network; its outputs have the names of the layers that they come from."""
    outputs = import_keras().tree.flatten(network(images, training=False))
    return dict(zip(network.output_names, outputs, strict=True))


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


def build_network(trained: TrainedHead, weights: str | None, outputs: tuple[str, ...] = ()) -> keras.Model:
    """Puts a trained head on the base that its features came from, preprocessing included.

    A base in a file cannot be made of Keras's layers: the network then begins with its features.

    Everything is computed in float32. Features are not rounded to float16 in between, as they were in the
    cache: that moves a probability by a few ten-thousandths, and every runtime takes the graph.

    Args:
        trained: The head.
        weights: A file with the filters of the base, ``imagenet``, ``random:<seed>``, or None to find them by
            their identity.
        outputs: What is asked for besides the answers: ``familiarity``, where the head has it.

    Returns:
        A model of Keras's own layers, those of the head among them, from ``images``, uint8 (n, size, size, 3)
        RGB, or from ``features``, float32 (n, *shape that the head takes), to ``probabilities``, or
        ``numbers``, float32 (n, k) in the order of the head's classes; then to ``familiarity``, float32 (n,).
        Nothing is trainable.

    Raises:
        UsageError: The head is no network, or the filters cannot be found.
        CacheMismatchError: The filters are others than those that made the features.
    """
    head = _head_network(trained)
    head.name = "head"
    keras = import_keras()
    size = trained.spec.image_size
    if not base_of(trained.spec).in_file:
        given = keras.Input((size, size, 3), dtype="uint8", name=INPUT)
        features = _base(trained.spec, weights)(given)
    else:
        given = features = keras.Input(head.input_shape[1:], dtype="float32", name=FEATURES)
    answers = head(features)
    if trained.task.target == CLASS:
        answers = _over_all_classes(_calibrated(answers, trained.temperature), trained)
    kind = kind_of(trained)
    wanted = keras.layers.Identity(name=kind.output)(answers)
    if FAMILIARITY in outputs and trained.familiarity is not None:
        familiarity = familiarity_of(features, trained.familiarity)
        wanted = [wanted, keras.layers.Identity(name=FAMILIARITY)(familiarity)]
    network = keras.Model(given, wanted, name=kind.network)
    network.trainable = False
    return network


def _head_network(trained: TrainedHead) -> keras.Model:
    if not isinstance(trained.head, Layered):
        others = layered_heads(trained.task.target)
        raise UsageError(
            f"head {trained.name!r} cannot be exported: its answers are not those of layers, which is all "
            f"that the formats hold. These heads can: {', '.join(others)}"
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
        [Cut(one.layer, one.pooling) for one in single_specs(spec)],
        weights=weights_of(spec, choice, option=OPTION),
        image_size=spec.image_size,
    )
    features = keras.tree.flatten(model(images))
    if len(features) > 1:
        features = [keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in features])]
    return keras.Model(images, features[0], name="base")


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
