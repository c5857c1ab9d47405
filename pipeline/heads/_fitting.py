"""Epoch after epoch until validation rows say stop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.counts import counted
from pipeline.errors import PipelineError
from pipeline.heads._epochs import EpochLoop
from pipeline.heads._feeding import Feed
from pipeline.heads._head import History
from pipeline.heads._network import KerasModel
from pipeline.progress import say

if TYPE_CHECKING:
    import keras

LINE_INTERVAL_S = 1.0
SMALLEST = 1e-7
"""Probability that a wrong answer counts as at least, as in Keras: the loss stays finite."""

WORTH_COMPILING = 4e9
"""Updates of single weights from which XLA saves more than the second that it takes."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and in which steps to train.

    Attributes:
        epochs: Most epochs.
        batch_size: Rows a step.
        patience: Epochs without a lower validation loss after which training stops.
        rate_option: Option of the head that sets the rate, for messages.
        seed: Seed of the order of rows.
        may_compile: Whether XLA is faster than the library's own kernels: not so for convolutions on a CPU.
    """

    epochs: int
    batch_size: int
    patience: int
    seed: int
    rate_option: str = "learning_rate"
    may_compile: bool = True


@dataclass
class _Best:
    """The lowest validation loss so far, and the weights that reached it."""

    loss: float = math.inf
    epoch: int = 0
    weights: list[np.ndarray] = field(default_factory=list)


def train_network(
    model: KerasModel,
    optimizer: keras.optimizers.Optimizer,
    train: Feed,
    valid: Feed | None,
    schedule: Schedule,
    *,
    kept: float = math.inf,
) -> History:
    """Trains all trainable weights of a network; with validation rows it ends with those of the best epoch.

    Args:
        model: The network, with a softmax at its end.
        optimizer: A new one.
        train: Rows to learn from.
        valid: Rows that only decide when to stop.
        schedule: How long.
        kept: Validation loss of the weights it starts with; they stay unless an epoch is better.

    Returns:
        ``loss``, ``accuracy`` and, with validation rows, ``val_loss`` and ``val_accuracy`` of each epoch.

    Raises:
        PipelineError: The loss is no longer a number.
    """
    network, history, last_line = model.network, {}, -math.inf
    dtype = str(next(iter(train.blocks())).dtype)
    loop = EpochLoop(network, optimizer, dtype=dtype, compiled=_worth_compiling(network, train, schedule))
    random = np.random.default_rng(schedule.seed)
    best = _Best(loss=kept, weights=network.get_weights() if math.isfinite(kept) else [])
    for epoch in range(1, schedule.epochs + 1):
        chunks = train.chunks(random, batch_size=schedule.batch_size)
        loss, accuracy = loop.run(chunks, batch_size=schedule.batch_size)
        figures = {"loss": loss, "accuracy": accuracy}
        if valid is not None:
            figures["val_loss"], figures["val_accuracy"] = measure(model, valid)
        _refuse_divergence(epoch, figures, optimizer, schedule)
        for name, value in figures.items():
            history.setdefault(name, []).append(value)
        if time.monotonic() - last_line >= LINE_INTERVAL_S or epoch == schedule.epochs:
            last_line = time.monotonic()
            text = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in figures.items())
            say(f"epoch {epoch}/{schedule.epochs}  {text}")
        if valid is not None:
            if figures["val_loss"] < best.loss:
                best = _Best(figures["val_loss"], epoch, network.get_weights())
            elif epoch - best.epoch >= schedule.patience:
                break
    if best.weights:
        network.set_weights(best.weights)
        _say_best(history, best.epoch)
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


def _say_best(history: History, epoch: int) -> None:
    losses, hits = history["val_loss"], history["val_accuracy"]
    if epoch:
        figures = f"val loss {losses[epoch - 1]:.4f}, val accuracy {hits[epoch - 1]:.4f}"
        say(f"epoch {epoch} of {len(losses)} is kept: {figures}")
    else:
        say(f"none of {counted(len(losses), 'epoch')} lowered the val loss: the weights from before are kept")
