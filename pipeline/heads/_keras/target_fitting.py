"""Training a network on several labels or numbers, of which some may be unknown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import History
from pipeline.heads._core.number_scale import NumberScale
from pipeline.images.targets import LABELS, NUMBER
from pipeline.memory import available_bytes
from pipeline.progress import progress, say
from pipeline.runtimes.keras import import_keras
from pipeline.wording import counted

if TYPE_CHECKING:
    import keras

MEMORY_SHARE = 0.35
"""Share of the memory up to which features are read whole."""
BATCH = 256
NOTHING = {LABELS: "the share of each label", NUMBER: "the median of each number"}
"""What answers without a look, where no epoch does better, in words."""


@dataclass(frozen=True, kw_only=True)
class TargetSchedule:
    """How long and in which steps to train.

    Attributes:
        epochs: Most epochs.
        batch_size: Rows a step.
        patience: Epochs without a lower loss on val after which training stops.
        seed: Seed of the order of rows.
    """

    epochs: int
    batch_size: int
    patience: int
    seed: int


def train_on_targets(
    network: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    train: Examples,
    valid: Examples | None,
    schedule: TargetSchedule,
    *,
    target: str,
) -> History:
    """Trains all weights; with validation rows it ends with those of the epoch of the lowest loss.

    Where no epoch does better on val than knowing nothing, it ends with the share of each label, or the
    median of each number. The loss is the mean of the known targets': cross-entropy of labels, and Huber's
    of numbers, in units of their quartiles, which rows that are far off do not rule.

    Args:
        network: With a logistic function for each label at its end, or a linear layer.
        optimizer: A new one.
        train: Rows to learn from.
        valid: Rows that only decide when to stop.
        schedule: How long.
        target: ``LABELS`` or ``NUMBER``.

    Returns:
        ``loss`` and, with validation rows, ``val_loss`` of each epoch.

    Raises:
        PipelineError: The rows do not fit the memory, or the loss is no longer a number.
    """
    scale = NumberScale.of_most(train.targets)

    def as_learnt(targets: np.ndarray) -> np.ndarray:
        return _masked(targets if target == LABELS else scale.scaled(targets))

    features, wanted = _in_memory(train), as_learnt(train.targets)
    held_out = None if valid is None else (_in_memory(valid), as_learnt(valid.targets))
    network.compile(optimizer=optimizer, loss=loss_of(target), jit_compile=False)
    history: History = {}
    best, best_epoch, best_weights = math.inf, 0, network.get_weights()
    random = np.random.default_rng(schedule.seed)
    with progress("epochs", schedule.epochs, "epochs") as advance:
        for epoch in range(1, schedule.epochs + 1):
            order = random.permutation(len(features))
            losses = [
                float(network.train_on_batch(_rows(features, part), wanted[part]))
                for part in _parts(order, schedule.batch_size)
            ]
            # Keras gives the mean over the batches of the epoch so far.
            history.setdefault("loss", []).append(losses[-1])
            figure = losses[-1]
            if held_out is not None:
                figure = _measure(network, *held_out, target)
                history.setdefault("val_loss", []).append(figure)
            network.reset_metrics()
            if not math.isfinite(figure) or not math.isfinite(losses[-1]):
                raise PipelineError(
                    f"the training diverged: the loss of epoch {epoch} is {figure}. A lower rate may help, "
                    f"for example `--set learning_rate={float(optimizer.learning_rate) / 10:.0e}`"
                )
            advance(1)
            if held_out is not None and figure < best:
                best, best_epoch, best_weights = figure, epoch, network.get_weights()
            elif held_out is not None and epoch - best_epoch >= schedule.patience:
                break
    if held_out is not None:
        network.set_weights(best_weights)
        _know_nothing(network, train.targets, target)
        if _measure(network, *held_out, target) <= best:
            epochs = counted(len(history["loss"]), "epoch")
            say(
                f"note: in {epochs} val was never better answered than by {NOTHING[target]}, so that is what "
                "this head answers: other features may tell more"
            )
        else:
            network.set_weights(best_weights)
            say(f"epoch {best_epoch} of {len(history['loss'])} is kept: val loss {best:.4f}")
    if target != LABELS:
        _undo(scale, network)
    return history


def _know_nothing(network: keras.Model, targets: np.ndarray, target: str) -> None:
    """Has the last layer of a network answer the share of each label, or 0, the median of a number."""
    kernel, bias = map(np.zeros_like, network.layers[-1].get_weights())
    if target == LABELS:
        known = ~np.isnan(targets)
        share = (np.where(known, targets, 0).sum(axis=0) + 0.5) / (known.sum(axis=0) + 1)
        bias[:] = np.log(share / (1 - share))
    network.layers[-1].set_weights([kernel, bias])


def _undo(scale: NumberScale, network: keras.Model) -> None:
    """Has the last layer of a network, which is linear, answer in the numbers' own units."""
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel * scale.spread, bias * scale.spread + scale.mean])


def _masked(targets: np.ndarray) -> np.ndarray:
    """Returns targets beside marks of those that are known, float32 (n, k, 2)."""
    known = ~np.isnan(targets)
    return np.stack([np.where(known, targets, 0), known], axis=-1).astype(np.float32)


def loss_of(target: str) -> Any:
    """Returns the loss of a kind of target, of targets beside marks (n, k, 2) and answers (n, k)."""
    ops = import_keras().ops

    def of_known(masked: Any, answers: Any) -> Any:
        truth, known = masked[..., 0], masked[..., 1]
        if target == LABELS:
            sure = ops.clip(answers, 1e-7, 1 - 1e-7)
            each = -(truth * ops.log(sure) + (1 - truth) * ops.log(1 - sure))
        else:
            apart = ops.absolute(truth - answers)
            each = ops.where(apart < 1, 0.5 * ops.square(apart), apart - 0.5)
        return ops.sum(each * known) / ops.maximum(ops.sum(known), 1.0)

    return of_known


def _measure(network: keras.Model, features: np.ndarray, wanted: np.ndarray, target: str) -> float:
    """Returns the mean loss of the known targets."""
    answers = np.concatenate(
        [network.predict_on_batch(_rows(features, part)) for part in _parts(np.arange(len(features)), BATCH)]
    )
    return float(loss_of(target)(wanted, answers))


def _rows(features: np.ndarray, part: np.ndarray) -> np.ndarray:
    return features[part].astype(np.float32)


def _parts(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def _in_memory(rows: Examples) -> np.ndarray:
    source = rows.source.features
    size = len(rows) * math.prod(source.shape[1:]) * source.dtype.itemsize
    if size > available_bytes() * MEMORY_SHARE:
        raise PipelineError(
            f"{size / 1e9:.1f} GB of features do not fit the memory: choose `--head ridge`, which reads them "
            "in pieces, or extract fewer features a row with `pipeline extract --pooling avg`"
        )
    return rows.read()
