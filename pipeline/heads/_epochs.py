"""Epochs without Python between their steps: one traced loop over the batches of a permutation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from pipeline.heads._feeding import Chunk
from pipeline.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class EpochLoop:
    """Trains a network by whole epochs.

    ``Model.fit`` returns to Python for every batch, copies it to the device and calls two dozen metrics and
    callbacks; for a small network that is most of the time. Here the rows stand on the device, and a loop
    inside the graph gathers each batch and applies the optimizer's own update.
    """

    def __init__(
        self, network: keras.Model, optimizer: keras.optimizers.Optimizer, *, dtype: str, compiled: bool
    ) -> None:
        """Traces the loop.

        Args:
            network: From (n, *feature shape) to softmax probabilities (n, m).
            optimizer: A new one.
            dtype: Stored dtype of the features.
            compiled: Whether XLA compiles the loop. It fuses the update of all weights into one pass over
                memory, and takes about a second for it.
        """
        import tensorflow as tf

        keras = import_keras()
        variables = network.trainable_variables
        optimizer.build(variables)
        # Summing over one device changes nothing, but TensorFlow enters its gradient in a registry that is
        # never emptied, and with it the graph and all weights of each training.
        optimizer._all_reduce_sum_gradients = lambda pairs: pairs

        def step(features: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                proba = network(keras.ops.cast(features, "float32"), training=True)
                losses = weights * keras.losses.sparse_categorical_crossentropy(labels, proba)
                loss = keras.ops.mean(losses)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.apply(gradients, variables)
            hits = keras.ops.equal(keras.ops.argmax(proba, axis=-1), labels)
            return keras.ops.sum(losses), keras.ops.sum(keras.ops.cast(hits, "float32"))

        def steps(
            features: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, order: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            def body(number: tf.Tensor, loss: tf.Tensor, hits: tf.Tensor) -> tuple[tf.Tensor, ...]:
                batch = order[number]
                more = step(*(tf.gather(values, batch) for values in (features, labels, weights)))
                return number + 1, loss + more[0], hits + more[1]

            start = (tf.constant(0), tf.constant(0.0), tf.constant(0.0))
            return tf.while_loop(lambda number, *sums: number < tf.shape(order)[0], body, start)[1:]

        signature = (
            tf.TensorSpec((None, *network.input_shape[1:]), dtype),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((None, None), tf.int64),
        )
        traced = tf.function(steps, autograph=False, jit_compile=compiled or None)
        self._steps = traced.get_concrete_function(*signature)

    def run(self, chunks: Iterable[Chunk], *, batch_size: int) -> tuple[float, float]:
        """Trains on every row once, the last batch smaller where the rows do not divide.

        Returns:
            Mean loss and share of right answers, both taken before the update of each batch.
        """
        loss, hits, rows = 0.0, 0.0, 0
        for chunk in chunks:
            whole = len(chunk.order) // batch_size * batch_size
            for batches in (chunk.order[:whole].reshape(-1, batch_size), chunk.order[None, whole:]):
                if batches.size:
                    sums = self._steps(*chunk[:3], np.ascontiguousarray(batches, np.int64))
                    loss, hits = loss + float(sums[0]), hits + float(sums[1])
            rows += len(chunk.order)
        return loss / rows, hits / rows
