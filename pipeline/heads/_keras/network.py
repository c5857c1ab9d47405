"""Networks of Keras: how they are built, how they answer, and what scales their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.heads._keras.layers import SCALING, Layer
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras


PREDICT_BATCH = 64


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

    def predict_targets(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to targets, float32 (n, k)."""
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


def sequential(shape: tuple[int, ...], layers: Sequence[Layer]) -> keras.Model:
    """Builds a network, untrained, of the layers that are described, on rows of a shape."""
    keras = import_keras()
    return keras.Sequential([keras.Input(shape), *(layer.to_keras() for layer in layers)])


def copied(trained: keras.Model, new: keras.Model) -> keras.Model:
    """Gives a new network of the same layers all that another has learnt, and returns it."""
    for layer, learnt in zip(new.layers, trained.layers, strict=True):
        layer.set_weights(learnt.get_weights())
        if layer.name == SCALING:
            layer.finalize_state()
    return new


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
