"""A trained network, and how networks of heads begin and end: the scaling, and the softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from pipeline.heads._core.head import Task
from pipeline.options import Check
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras


PREDICT_BATCH = 64
SCALING = "scaling"
"""Name of the layer that scales features by the moments of the training rows."""

Widths = Annotated[tuple[int, ...], Check("each at least 1", lambda widths: widths and min(widths) >= 1)]
"""Option of a head: sizes of layers, one after the other."""


@dataclass(frozen=True, eq=False)
class KerasModel:
    """A trained network."""

    network: keras.Model

    @cached_property
    def _forward(self) -> Callable[[np.ndarray], np.ndarray]:
        return forward_pass(self.network)

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to probabilities, float32 (n, m)."""
        return self._forward(features)

    def save(self, path: Path) -> None:
        """Writes the weights; the architecture follows from the head's options."""
        self.network.save_weights(path)


def forward_pass(network: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Traces a network once; the result maps arrays (n, *input shape) to float32 (n, *output shape).

    ``Model.predict`` does the same, and warns of retracing when many models answer in one process.
    """
    import tensorflow as tf

    to_tensor = import_keras().ops.convert_to_tensor
    traced = tf.function(lambda rows: network(rows, training=False), autograph=False)
    run = traced.get_concrete_function(tf.TensorSpec((None, *network.input_shape[1:]), tf.float32))

    def forward(rows: np.ndarray) -> np.ndarray:
        outputs = np.empty((len(rows), *network.output_shape[1:]), np.float32)
        for start in range(0, len(rows), PREDICT_BATCH):
            batch = slice(start, start + PREDICT_BATCH)
            outputs[batch] = run(to_tensor(rows[batch], "float32")).numpy()
        return outputs

    return forward


def classifier(task: Task, hidden: list[keras.Layer]) -> keras.Model:
    """Builds scaled input -> hidden layers -> softmax over the classes.

    The scaling is one mean and one variance for each channel (last axis), over rows and positions. On
    features of random VGG16 filters, with activations in the hundreds, training stayed at chance without
    scaling, and with one scale for all channels at a rate of 1e-3 (at 1e-4 it took twice the epochs). A
    scale for each single feature did no better, with as many more numbers to estimate as positions.
    """
    return _sequence(task, [import_keras().layers.Normalization(axis=-1, name=SCALING), *hidden])


def pixel_classifier(task: Task, hidden: list[keras.Layer]) -> keras.Model:
    """Builds pixels 0..255 -> 0..1 -> hidden layers -> softmax over the classes."""
    return _sequence(task, [import_keras().layers.Rescaling(1 / 255), *hidden])


def hidden_layers(widths: tuple[int, ...], dropout: float) -> list[keras.Layer]:
    """Makes a dense layer with ReLU, followed by dropout, for each width."""
    layers = import_keras().layers
    pairs = ((layers.Dense(width, activation="relu"), layers.Dropout(dropout)) for width in widths)
    return [layer for pair in pairs for layer in pair]


def pooled(task: Task) -> list[keras.Layer]:
    """Makes the layer that averages over all positions; none where features have no positions."""
    return [import_keras().layers.GlobalAveragePooling2D()] if len(task.feature_shape) == 3 else []


def _sequence(task: Task, layers: list[keras.Layer]) -> keras.Model:
    # Two classes are two outputs of a softmax like any other number: one loss, one meaning of accuracy.
    keras = import_keras()
    output = keras.layers.Dense(task.n_classes, activation="softmax")
    return keras.Sequential([keras.Input(task.feature_shape), *layers, output])


def fit_scaling(network: keras.Model, blocks: Iterable[np.ndarray]) -> None:
    """Sets the network's scaling, where it has one, to the moments of the training rows.

    Args:
        network: Its layer of the name ``SCALING`` is set.
        blocks: The rows' features in pieces, (n, *feature shape) each; read only where there is such a layer.
    """
    for layer in network.layers:
        if layer.name == SCALING:
            mean, variance, count = channel_moments(blocks)
            layer.set_weights([mean, variance, np.int32(count)])
            layer.finalize_state()


def channel_moments(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns mean and variance of each channel (last axis), float32 (channels,) each, and the rows seen.

    A constant channel gets variance 1: whatever differs from it later must not be blown up.
    """
    origin = total = squares = np.zeros(())
    values, rows = 0, 0
    for block in blocks:
        table = block.reshape(-1, block.shape[-1])
        if not rows:
            # Distances to one row instead of to zero: exact for constant channels, and no digits cancel.
            origin = table[0].astype(np.float64)
        distance = table - origin
        total = total + distance.sum(axis=0)
        squares = squares + np.square(distance).sum(axis=0)
        values, rows = values + len(table), rows + len(block)
    mean = total / values
    variance = squares / values - mean**2
    return (
        (origin + mean).astype(np.float32),
        np.where(variance > 0, variance, 1).astype(np.float32),
        rows,
    )
