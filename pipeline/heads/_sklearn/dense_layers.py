"""Answers written as dense layers, so that a network of Keras can give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.heads._core.head import Task
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras


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


def folded(scaler: Any, layers: Sequence[DenseLayer]) -> list[DenseLayer]:
    """Lets the first layer take rows as they are: (x - mean) / scale is linear like the layer itself.

    Args:
        scaler: Has ``mean_`` and ``scale_``, float64 (d,) each.
        layers: What follows it.
    """
    first, *others = layers
    kernel = first.kernel / scaler.scale_[:, None]
    return [DenseLayer(kernel, first.bias - scaler.mean_ @ kernel, first.activation), *others]


def log_sigmoid(scores: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the logarithm of the logistic function, from operations that overflow in no runtime.

    Keras's own is made of a softplus, which LiteRT writes out as log(1 + exp(x)): infinite from 89 on.
    """
    ops = import_keras().ops
    # ONNX has no log1p; of 1 to 2 the logarithm is exact to float32's last digit.
    return ops.minimum(scores, 0.0) - ops.log(1.0 + ops.exp(-ops.absolute(scores)))


def flat_input(task: Task) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the input of a head's network, (n, *feature shape), and the same as rows (n, d)."""
    keras = import_keras()
    given = keras.Input(task.feature_shape)
    return given, keras.layers.Flatten()(given)


def through(layers: Sequence[DenseLayer], rows: keras.KerasTensor) -> keras.KerasTensor:
    """Returns what leaves the last of some layers, (n, k), for rows (n, d) that enter the first."""
    keras = import_keras()
    for layer in layers:
        dense = keras.layers.Dense(layer.bias.size)
        scores = dense(rows)
        dense.set_weights([layer.kernel.astype(np.float32), layer.bias.astype(np.float32)])
        if isinstance(layer.activation, str):
            rows = keras.layers.Activation(layer.activation)(scores)
        else:
            rows = layer.activation(scores)
    return rows


def softmax_network(task: Task, layers: Sequence[DenseLayer]) -> keras.Model:
    """Builds a network: features (n, *feature shape) -> layers -> softmax over the classes (n, m)."""
    keras = import_keras()
    given, rows = flat_input(task)
    return keras.Model(given, keras.layers.Softmax()(through(layers, rows)))
