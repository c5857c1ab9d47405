"""What all Keras heads share: their options, the training, and files of weights only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.backbones.imported import refuse_imported
from pipeline.errors import UsageError
from pipeline.guards.hdf5 import refuse_foreign_parts
from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import History, Task
from pipeline.heads._core.targets import refuse_class_options
from pipeline.heads._keras.feeding import ALL, BLOCK_ROWS, ViewChoice, open_feeds
from pipeline.heads._keras.fitting import LOSS, KeepChoice, Schedule, train_network
from pipeline.heads._keras.layers import Layer
from pipeline.heads._keras.network import KerasModel, copied, fit_scaling, sequential
from pipeline.heads._keras.stack import StackModel, plain_stack, read_arrays
from pipeline.heads._keras.target_fitting import TargetSchedule, train_on_targets
from pipeline.images.targets import LABELS, NUMBER
from pipeline.options import Count, PositiveFloat, Share
from pipeline.progress import say
from pipeline.registry import name_of
from pipeline.runtimes.keras import import_keras
from pipeline.wording import counted

if TYPE_CHECKING:
    import keras
    import numpy as np


TrainedNetwork = KerasModel | StackModel

ANY = "any"
MAPS = "maps"
PIXELS = "pixels"
BASE = "base"
"""Kinds: any features; those with height and width; decoded images; a cut from which a base goes on."""


def _blocks(index: np.ndarray) -> list[np.ndarray]:
    return [index[start : start + BLOCK_ROWS] for start in range(0, len(index), BLOCK_ROWS)]


def load_weights(path: Path, build: Callable[[], keras.Model], *, channels: int) -> keras.Model:
    """Builds a network and fills in its weights.

    The network is planned first, without a value in it: options in a file may ask for layers of any width.

    Args:
        path: A file of weights only.
        build: Makes the network, untrained.
        channels: Length of the last axis of its input, for each of which it has a weight at least.

    Raises:
        ValueError: The file points to other files, or holds the weights of another network.
    """
    import h5py

    with h5py.File(path, "r") as file:
        refuse_foreign_parts(path, file)
    size = path.stat().st_size
    other = "its weights are not those of the network that head.json describes"
    # Some layers make constants of their input's length even while they are only planned.
    if channels > size or _weights_of(build) > size:
        raise ValueError(other)
    network = build()
    try:
        network.load_weights(path)
    except (KeyError, ValueError) as error:
        raise ValueError(other) from error
    return network


def _weights_of(build: Callable[[], keras.Model]) -> int:
    with import_keras().StatelessScope(initialize_variables=False):
        return sum(math.prod(variable.shape) for variable in build().variables)


@dataclass(frozen=True, kw_only=True)
class KerasHead:
    """Base of the heads that Keras trains.

    Classes end in a softmax and are learnt by cross-entropy; several labels in a logistic function each, by
    the cross-entropy of each; numbers in a linear layer, by Huber's loss on values less their median, in
    units of their quartiles, which rows that are far off do not rule. What is unknown counts nowhere.

    Attributes:
        takes: Kind of features that it works on.
        convolves: Whether its time goes into convolutions.
        epochs: Most epochs to train.
        batch_size: Rows a step.
        learning_rate: Step width of the optimizer.
        patience: Epochs without a better one after which training stops.
        keep: Which epoch is the better one: by ``loss`` on validation rows, or by ``accuracy``.
        class_weight: ``balanced``: each class counts the same in the loss, however few rows it has.
        views: Which rows of an image with augmented views an epoch shows: ``all``, or ``one``, drawn anew in
            every epoch.
        average: Share of a running average of the weights that each step keeps; 0 = none. With it the
            average is what validation rows measure and what is kept.
    """

    file: ClassVar[str] = "model.weights.h5"
    software: ClassVar[tuple[str, ...]] = ("keras", "tensorflow", "h5py", "numpy")
    takes: ClassVar[str] = ANY
    targets: ClassVar[frozenset[str]] = frozenset({LABELS, NUMBER})
    convolves: ClassVar[bool] = False

    epochs: Count = 60
    batch_size: Count = 32
    learning_rate: PositiveFloat = 1e-4
    patience: Count = 8
    class_weight: Balanced | None = None
    views: ViewChoice = ALL
    average: Share = 0.0
    keep: KeepChoice = LOSS

    def layers(self, task: Task) -> list[Layer]:
        """Lists the layers, from features (*feature shape) to the softmax over the m classes."""
        raise NotImplementedError

    def build(self, task: Task) -> keras.Model:
        """Builds the network, untrained: (n, *feature shape) to softmax probabilities (n, m)."""
        return sequential(task.feature_shape, self.layers(task))

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Makes the optimizer of a training."""
        return import_keras().optimizers.RMSprop(self.learning_rate)

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TrainedNetwork, History]:
        """Trains the network; with validation rows it ends with the weights of the best epoch.

        Rows are streamed from the feature file where they would take too much of the memory.
        Seeds the global random states of Python, NumPy and the backend, because Keras draws from them.
        The same seed gives the same weights bit for bit on a CPU; a GPU may round sums differently.

        Raises:
            UsageError: The head cannot work on features of this kind.
            PipelineError: A feature is not a finite number, or the training diverged.
        """
        self.refuse_other_kind(task)
        import_keras().utils.set_random_seed(seed)
        model = KerasModel(self.build(task))
        rows, held_out = open_feeds(train, valid, class_weight=self.class_weight, views=self.views)
        fit_scaling(model.network, rows.blocks())
        self._say_if_blind(valid)
        schedule = Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            seed=seed,
            average=self.average,
            keep=self.keep,
            may_compile=not self.convolves,
        )
        history = train_network(model, self.optimizer(), rows, held_out, schedule)
        return self._trained(model, task), history

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TrainedNetwork, History]:
        """Trains one network for all labels or numbers, see :func:`train_on_targets`.

        Raises:
            UsageError: The head cannot work on features of this kind, or an option means nothing here.
            PipelineError: A feature is not a finite number, or the training diverged.
        """
        self.refuse_other_kind(task)
        refuse_class_options(self, "class_weight", "average", "views", "keep")
        import_keras().utils.set_random_seed(seed)
        model = KerasModel(self.build(task))
        self._say_if_blind(valid)
        fit_scaling(model.network, (train.source.read(part) for part in _blocks(train.index)))
        schedule = TargetSchedule(
            epochs=self.epochs, batch_size=self.batch_size, patience=self.patience, seed=seed
        )
        history = train_on_targets(
            model.network, self.optimizer(), train, valid, schedule, target=task.target
        )
        # A network that was compiled saves more than its weights.
        return self._trained(KerasModel(copied(model.network, self.build(task))), task), history

    def file_of_targets(self, target: str) -> str:
        """Names the file of the weights."""
        return self.file

    def load_targets(self, path: Path, task: Task) -> TrainedNetwork:
        """Reads the weights as those of a head of classes."""
        return self.load(path, task)

    def _say_if_blind(self, valid: Examples | None) -> None:
        """Says what there being no validation rows means for the training."""
        if valid is None:
            epochs = counted(self.epochs, "epoch")
            say(f"note: no validation rows, so training runs for {epochs} and the last one counts")

    def _trained(self, model: KerasModel, task: Task) -> TrainedNetwork:
        """Returns what answers for a trained network: NumPy where it is a stack of plain layers."""
        stack = plain_stack(self.layers(task))
        if stack is None:
            return model
        network = model.network  # without what was traced of it, which could not travel to another process
        learnt = [layer.get_weights() for layer in network.layers]
        return StackModel(stack, learnt, lambda: network)

    def load(self, path: Path, task: Task) -> TrainedNetwork:
        """Reads the weights of the network that the head's own options describe.

        A stack of plain layers is answered for by NumPy; any other network is built with Keras.
        """
        stack = plain_stack(self.layers(task))
        if stack is None:
            return self.load_network(path, task)
        return StackModel(stack, read_arrays(path, stack, task.feature_shape), lambda: self.build(task))

    def load_network(self, path: Path, task: Task) -> KerasModel:
        """Builds the network from the head's own options and fills in the weights."""
        return KerasModel(load_weights(path, lambda: self.build(task), channels=task.feature_shape[-1]))

    def to_network(self, model: TrainedNetwork, task: Task) -> keras.Model:
        """Returns the network that was trained."""
        return model.network

    def refuse_other_kind(self, task: Task) -> None:
        """Refuses features that the head cannot work on.

        Raises:
            UsageError: The message names the entry to extract instead.
        """
        spec, name = task.spec, name_of(type(self))
        if self.takes not in (ANY, MAPS):
            refuse_imported(spec)
        layer = spec.layer.partition("+")[0]  # joined cuts are flat; the first of them serves as the example
        if self.takes == PIXELS:
            if not spec.is_pixels:
                raise UsageError(
                    f"head {name!r} learns from the images themselves, not from features of {spec.backbone}: "
                    f"run `pipeline extract --backbone pixels --image-size {spec.image_size}` and train on "
                    "that entry"
                )
        elif self.takes != ANY and len(task.feature_shape) != 3:
            if self.takes == MAPS:
                shape = ", ".join(map(str, task.feature_shape))
                why = f"needs features with height, width and channels, not rows of shape ({shape})"
            else:
                why = (
                    "goes on with the base where the features were cut, but these were pooled or joined and "
                    "no layer takes them"
                )
            raise UsageError(
                f"head {name!r} {why}: run `pipeline extract --backbone {spec.backbone} "
                f"--image-size {spec.image_size} --layer {layer} --pooling none` and train on that entry"
            )
