"""Epoch after epoch until validation rows say stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import numpy as np

from pipeline.errors import PipelineError
from pipeline.heads._core.head import History
from pipeline.heads._keras.feeding import Chunk, Feed
from pipeline.heads._keras.network import KerasModel
from pipeline.options import one_of
from pipeline.progress import say
from pipeline.runtimes.keras import import_keras
from pipeline.wording import counted

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

LOSS, ACCURACY = "loss", "accuracy"
"""Which epoch is kept: that of the lowest validation loss; or of the highest accuracy, among equals of the
lowest loss. A network that grows too sure of itself goes on to gain accuracy while its loss rises."""

KeepChoice = Annotated[str, one_of(LOSS, ACCURACY)]

LINE_INTERVAL_S = 1.0
SMALLEST = 1e-7
"""Probability that a wrong answer counts as at least, as in Keras: the loss stays finite."""

WORTH_COMPILING = 4e9
"""Updates of single weights from which XLA saves more than the second that it takes."""


class EpochLoop:
    """Trains a network by whole epochs.

    ``Model.fit`` returns to Python for every batch, copies it to the device and calls two dozen metrics and
    callbacks; for a small network that is most of the time. Here the rows stand on the device, and a loop
    inside the graph gathers each batch and applies the optimizer's own update.
    """

    def __init__(
        self,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        *,
        dtype: str,
        compiled: bool,
        average: float = 0.0,
    ) -> None:
        """Traces the loop.

        Args:
            network: From (n, *feature shape) to softmax probabilities (n, m).
            optimizer: A new one.
            dtype: Stored dtype of the features.
            compiled: Whether XLA compiles the loop. It fuses the update of all weights into one pass over
                memory, and takes about a second for it.
            average: Share of the running average of the weights that each step keeps; 0 = there is none.
        """
        import tensorflow as tf

        keras = import_keras()
        variables = network.trainable_variables
        optimizer.build(variables)
        # Summing over one device changes nothing, but TensorFlow enters its gradient in a registry that is
        # never emptied, and with it the graph and all weights of each training.
        optimizer._all_reduce_sum_gradients = lambda pairs: pairs
        self._variables = variables if average else []
        self._averages = [tf.Variable(variable.value) for variable in self._variables]

        def step(features: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                proba = network(keras.ops.cast(features, "float32"), training=True)
                losses = weights * keras.losses.sparse_categorical_crossentropy(labels, proba)
                loss = keras.ops.mean(losses)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.apply(gradients, variables)
            for mean, variable in zip(self._averages, self._variables, strict=True):
                mean.assign_add((1 - average) * (variable.value - mean))
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

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Puts the averages in the place of the weights, as long as the block lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def keep_averages(self) -> None:
        """Puts the averages in the place of the weights for good."""
        self._swap()

    def _swap(self) -> None:
        for mean, variable in zip(self._averages, self._variables, strict=True):
            weights = variable.numpy()
            variable.assign(mean)
            mean.assign(weights)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and in which steps to train.

    Attributes:
        epochs: Most epochs.
        batch_size: Rows a step.
        patience: Epochs without a better one after which training stops.
        keep: Which epoch is the better one, see ``LOSS``.
        rate_option: Option of the head that sets the rate, for messages.
        seed: Seed of the order of rows.
        average: Share of a running average of the weights that each step keeps; 0 = there is none.
        may_compile: Whether XLA is faster than the library's own kernels: not so for convolutions on a CPU.
    """

    epochs: int
    batch_size: int
    patience: int
    seed: int
    rate_option: str = "learning_rate"
    average: float = 0.0
    keep: str = LOSS
    may_compile: bool = True


@dataclass
class _Best:
    """The best epoch so far, and its weights.

    Attributes:
        rank: What it reached on validation rows; less is better.
        epoch: Its number; 0 = the weights from before.
        weights: Those of the network.
    """

    rank: tuple[float, float] = (math.inf, math.inf)
    epoch: int = 0
    weights: list[np.ndarray] = field(default_factory=list)


def train_network(
    model: KerasModel,
    optimizer: keras.optimizers.Optimizer,
    train: Feed,
    valid: Feed | None,
    schedule: Schedule,
    *,
    start: tuple[float, float] | None = None,
) -> History:
    """Trains all trainable weights of a network; with validation rows it ends with those of the best epoch.

    Args:
        model: The network, with a softmax at its end.
        optimizer: A new one.
        train: Rows to learn from.
        valid: Rows that only decide when to stop.
        schedule: How long.
        start: Validation loss and accuracy of the weights it starts with, which stay unless an epoch is
            better; None = any epoch is.

    Returns:
        ``loss``, ``accuracy`` and, with validation rows, ``val_loss`` and ``val_accuracy`` of each epoch.

    Raises:
        PipelineError: The loss is no longer a number.
    """
    network, last_line = model.network, -math.inf
    history: History = {}
    dtype = str(next(iter(train.blocks())).dtype)
    compiled = _worth_compiling(network, train, schedule)
    loop = EpochLoop(network, optimizer, dtype=dtype, compiled=compiled, average=schedule.average)
    random = np.random.default_rng(schedule.seed)
    best = _Best() if start is None else _Best(rank(*start, schedule.keep), 0, network.get_weights())
    for epoch in range(1, schedule.epochs + 1):
        chunks = train.chunks(random, batch_size=schedule.batch_size)
        loss, accuracy = loop.run(chunks, batch_size=schedule.batch_size)
        figures = {"loss": loss, "accuracy": accuracy}
        if valid is not None:
            with loop.averaged():
                figures["val_loss"], figures["val_accuracy"] = measure(model, valid)
        _refuse_divergence(epoch, figures, optimizer, schedule)
        for name, value in figures.items():
            history.setdefault(name, []).append(value)
        if time.monotonic() - last_line >= LINE_INTERVAL_S or epoch == schedule.epochs:
            last_line = time.monotonic()
            text = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in figures.items())
            say(f"epoch {epoch}/{schedule.epochs}  {text}")
        if valid is not None:
            order = rank(figures["val_loss"], figures["val_accuracy"], schedule.keep)
            if order < best.rank:
                with loop.averaged():
                    best = _Best(order, epoch, network.get_weights())
            elif epoch - best.epoch >= schedule.patience:
                break
    if best.weights:
        network.set_weights(best.weights)
        _say_best(history, best.epoch, schedule.keep)
    else:
        loop.keep_averages()
    return history


def measure(model: KerasModel, rows: Feed) -> tuple[float, float]:
    """Returns the weighted mean loss and the share of right answers of a network."""
    proba = np.concatenate([model.predict_proba(block) for block in rows.blocks()])
    of_truth = np.clip(proba[np.arange(len(proba)), rows.labels], SMALLEST, 1)
    loss = -np.mean(rows.weights * np.log(of_truth), dtype=np.float64)
    return float(loss), float(np.mean(proba.argmax(axis=1) == rows.labels))


def _worth_compiling(network: keras.Model, train: Feed, schedule: Schedule) -> bool:
    weights = sum(math.prod(variable.shape) for variable in network.trainable_variables)
    steps = schedule.epochs * math.ceil(len(train.labels) / schedule.batch_size)
    return schedule.may_compile and weights * steps >= WORTH_COMPILING


def _refuse_divergence(
    epoch: int, figures: dict[str, float], optimizer: keras.optimizers.Optimizer, schedule: Schedule
) -> None:
    for name, value in figures.items():
        if not math.isfinite(value):
            lower = float(f"{float(optimizer.learning_rate) / 10:.0e}")
            raise PipelineError(
                f"the training diverged: the {name.replace('_', ' ')} of epoch {epoch} is {value}. "
                f"A lower rate may help, for example `--set {schedule.rate_option}={lower:g}`"
            )


def rank(loss: float, accuracy: float, keep: str) -> tuple[float, float]:
    """Returns what epochs are ordered by, less is better: their loss, or their accuracy and then the loss."""
    return (loss, 0.0) if keep == LOSS else (-accuracy, loss)


def _say_best(history: History, epoch: int, keep: str) -> None:
    losses, hits = history["val_loss"], history["val_accuracy"]
    if epoch:
        figures = f"val loss {losses[epoch - 1]:.4f}, val accuracy {hits[epoch - 1]:.4f}"
        say(f"epoch {epoch} of {len(losses)} is kept: {figures}")
    else:
        better = "lowered the val loss" if keep == LOSS else "raised the val accuracy"
        say(f"none of {counted(len(losses), 'epoch')} {better}: the weights from before are kept")
