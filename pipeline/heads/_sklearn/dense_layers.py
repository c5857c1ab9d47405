"""Heads of scikit-learn whose answers are those of dense layers, so that a network can give them, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.heads._core.head import Task
from pipeline.heads._sklearn.sklearn_head import SklearnHead, SklearnModel
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras
    from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """A dense layer: ``activation(rows @ kernel + bias)``.

    Attributes:
        kernel: float (d, k).
        bias: float (k,).
        activation: Name of an activation in Keras, or a function of the tensor of scores (n, k).
    """

    kernel: np.ndarray
    bias: np.ndarray
    activation: str | Callable[[keras.KerasTensor], keras.KerasTensor] = "linear"


@dataclass(frozen=True, kw_only=True)
class LayeredHead(SklearnHead):
    """Base of the heads that are a softmax over dense layers on the standardised table."""

    def dense_layers(self, classifier: Any) -> list[DenseLayer]:
        """Writes a fitted classifier as layers, from a standardised table (n, d) to the input of a softmax.

        The default is that of a ``SoftmaxLinear``; a head that fits another classifier writes its own.
        """
        sharpness = classifier.sharpness_
        return [DenseLayer(sharpness * classifier.coef_.T, sharpness * classifier.intercept_)]

    def to_network(self, model: SklearnModel, task: Task) -> keras.Model:
        """Writes a model as a network, the scaling folded into its first layer."""
        scaler, classifier = model.steps
        return _network(task, _folded(scaler, self.dense_layers(classifier)))


def _folded(scaler: StandardScaler, layers: Sequence[DenseLayer]) -> list[DenseLayer]:
    """Lets the first layer take rows as they are: (x - mean) / scale is linear like the layer itself."""
    first, *others = layers
    kernel = first.kernel / scaler.scale_[:, None]
    return [DenseLayer(kernel, first.bias - scaler.mean_ @ kernel, first.activation), *others]


def log_sigmoid(scores: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the logarithm of the logistic function, from operations that overflow in no runtime.

    Keras's own is made of a softplus, which LiteRT writes out as log(1 + exp(x)): infinite from 89 on.
    """
    ops = import_keras().ops
    return ops.minimum(scores, 0.0) - ops.log1p(ops.exp(-ops.absolute(scores)))


def _network(task: Task, layers: Sequence[DenseLayer]) -> keras.Model:
    keras = import_keras()
    inputs = keras.Input(task.feature_shape)
    outputs = keras.layers.Flatten()(inputs)
    parts = [keras.layers.Dense(layer.bias.size) for layer in layers]
    for part, layer in zip(parts, layers, strict=True):
        outputs = part(outputs)
        known = isinstance(layer.activation, str)
        outputs = keras.layers.Activation(layer.activation)(outputs) if known else layer.activation(outputs)
        part.set_weights([layer.kernel.astype(np.float32), layer.bias.astype(np.float32)])
    return keras.Model(inputs, keras.layers.Softmax()(outputs))
