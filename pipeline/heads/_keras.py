"""What all Keras heads share: scaling, the training loop, early stopping, and files of weights only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline.errors import PipelineError
from pipeline.heads._examples import Examples
from pipeline.heads._head import History, Task
from pipeline.heads._options import Count, PositiveFloat
from pipeline.keras_runtime import import_keras
from pipeline.progress import say

if TYPE_CHECKING:
    import keras

SCALING = "scaling"
LINE_INTERVAL_S = 1.0
PREDICT_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class KerasHead:
    """Base of the heads that Keras trains.

    Attributes:
        epochs: Most epochs to train.
        batch_size: Rows a step.
        learning_rate: Step width of the optimizer.
        patience: Epochs without a lower validation loss after which training stops.
    """

    file: ClassVar[str] = "model.weights.h5"
    software: ClassVar[tuple[str, ...]] = ("keras", "tensorflow", "h5py", "numpy")

    epochs: Count = 60
    batch_size: Count = 32
    learning_rate: PositiveFloat = 1e-4
    patience: Count = 8

    def build(self, task: Task) -> keras.Model:
        """Builds the network, untrained: (n, *feature shape) to softmax probabilities (n, m)."""
        raise NotImplementedError

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Makes the optimizer of a training."""
        return import_keras().optimizers.RMSprop(self.learning_rate)

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[KerasModel, History]:
        """Trains the network; with validation rows it ends with the weights of the best epoch.

        Seeds the global random states of Python, NumPy and the backend, because Keras draws from them.
        The same seed gives the same weights bit for bit on a CPU; a GPU may round sums differently.
        """
        keras = import_keras()
        keras.utils.set_random_seed(seed)
        network = self.build(task)
        features = train.read()
        fit_scaling(network, features)
        network.compile(self.optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"])
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=_reporter(self.epochs))]
        checked = None
        if valid is None:
            say(f"note: no validation rows, so all {self.epochs} epochs run and the last one counts")
        else:
            checked = valid.read(), valid.labels
            callbacks.append(
                keras.callbacks.EarlyStopping("val_loss", patience=self.patience, restore_best_weights=True)
            )
        run = network.fit(
            features,
            train.labels,
            batch_size=self.batch_size,
            epochs=self.epochs,
            validation_data=checked,
            callbacks=callbacks,
            verbose=0,
        )
        history = {name: [float(value) for value in values] for name, values in run.history.items()}
        if valid is not None:
            _say_best(history)
        # The training is over; a file of weights would hold the optimizer's state too, twice the size.
        network.optimizer = None
        return KerasModel(network), history

    def load(self, path: Path, task: Task) -> KerasModel:
        """Builds the network from the head's own options and fills in the weights."""
        network = self.build(task)
        try:
            network.load_weights(path)
        except (KeyError, ValueError) as error:
            raise ValueError("its weights are not those of the network that head.json describes") from error
        return KerasModel(network)


@dataclass(frozen=True, eq=False)
class KerasModel:
    """A trained network."""

    network: keras.Model

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to probabilities, float32 (n, m)."""
        return self.network.predict(features, batch_size=PREDICT_BATCH, verbose=0)

    def save(self, path: Path) -> None:
        """Writes the weights; the architecture follows from the head's options."""
        self.network.save_weights(path)


def classifier(task: Task, hidden: list[keras.Layer]) -> keras.Model:
    """Builds scaled input -> hidden layers -> softmax over the classes.

    The scaling is one mean and one variance for each channel (last axis), over rows and positions. On
    features of random VGG16 filters, with activations in the hundreds, training stayed at chance without
    scaling, and with one scale for all channels at a rate of 1e-3 (at 1e-4 it took twice the epochs). A
    scale for each single feature did no better, with as many more numbers to estimate as positions.
    """
    keras = import_keras()
    return keras.Sequential(
        [
            keras.Input(task.feature_shape),
            keras.layers.Normalization(axis=-1, name=SCALING),
            *hidden,
            keras.layers.Dense(task.n_classes, activation="softmax"),
        ]
    )


def fit_scaling(network: keras.Model, features: np.ndarray) -> None:
    """Sets the network's scaling, where it has one, to the moments of the training rows."""
    for layer in network.layers:
        if layer.name == SCALING:
            layer.set_weights([*channel_moments(features), np.int32(len(features))])
            layer.finalize_state()


def channel_moments(features: np.ndarray, *, block_rows: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and variance of each channel (last axis), float32 (channels,) each.

    A constant channel gets variance 1: whatever differs from it later must not be blown up.
    """
    channels = features.shape[-1]
    # Sums of distances to one row instead of to zero: exact for constant channels, and no digits cancel.
    origin = features[0].reshape(-1, channels)[0].astype(np.float64)
    total, squares, count = np.zeros(channels), np.zeros(channels), features.size // channels
    for start in range(0, len(features), block_rows):
        distance = features[start : start + block_rows].reshape(-1, channels) - origin
        total += distance.sum(axis=0)
        squares += np.square(distance).sum(axis=0)
    mean = total / count
    variance = squares / count - mean**2
    return (origin + mean).astype(np.float32), np.where(variance > 0, variance, 1).astype(np.float32)


def _reporter(epochs: int) -> Callable[[int, dict[str, float]], None]:
    """Makes the callback that tells the figures of each epoch, at most one line a second."""
    last = -math.inf

    def report(epoch: int, logs: dict[str, float]) -> None:
        nonlocal last
        if not math.isfinite(logs["loss"]):
            raise PipelineError(
                f"the training diverged: the loss of epoch {epoch + 1} is {logs['loss']}. "
                "A lower rate may help, for example `--set learning_rate=1e-5`"
            )
        now = time.monotonic()
        if now - last >= LINE_INTERVAL_S or epoch + 1 == epochs:
            last = now
            figures = "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in logs.items())
            say(f"epoch {epoch + 1}/{epochs}  {figures}")

    return report


def _say_best(history: History) -> None:
    best = int(np.argmin(history["val_loss"]))
    say(
        f"epoch {best + 1} of {len(history['val_loss'])} is kept: val loss {history['val_loss'][best]:.4f}, "
        f"val accuracy {history['val_accuracy'][best]:.4f}"
    )
