"""The layers that heads are built of, described so that Keras can train them and NumPy answer for most.

A head lists descriptions. Keras makes its layers of them for a training; for an answer NumPy does what they
say with the arrays that they have learnt, because TensorFlow takes seconds to import.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from pipeline.heads._core.head import Task
from pipeline.heads._core.probabilities import logistic, softmax
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.options import Check
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras


Widths = Annotated[tuple[int, ...], Check("each at least 1", lambda widths: widths and min(widths) >= 1)]
"""Option of a head: sizes of layers, one after the other."""

SCALING = "scaling"
"""Name of the layer that scales features by the moments of the training rows."""

ACTIVATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda scores: np.maximum(scores, 0, out=scores),
    "softmax": softmax,
    "sigmoid": logistic,
    "linear": lambda scores: scores,
}
"""What follows a dense layer, by Keras's name for it."""

Shape = tuple[int, ...]


class Layer:
    """The description of a layer."""

    def to_keras(self) -> keras.Layer:
        """Makes the layer, untrained."""
        raise NotImplementedError


class PlainLayer(Layer):
    """A layer that NumPy can answer for.

    Attributes:
        saved_as: What Keras calls the layer in a file of weights; the second of its kind ends with ``_1``.
    """

    saved_as: ClassVar[str] = ""

    def arrays(self, shape: Shape) -> tuple[Shape, ...]:
        """Returns the shapes of the arrays that it learns on rows of a shape."""
        return ()

    def outputs(self, shape: Shape) -> Shape:
        """Returns the shape of a row that leaves it."""
        return shape

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Maps rows, float32 (n, *shape), as the trained layer does."""
        return rows


@dataclass(frozen=True)
class Scaling(PlainLayer):
    """Takes each channel's mean and divides by its deviation, see ``fit_scaling``."""

    saved_as: ClassVar[str] = "normalization"

    def to_keras(self) -> keras.Layer:
        """Makes the layer, with mean 0 and variance 1."""
        return import_keras().layers.Normalization(axis=-1, name=SCALING)

    def arrays(self, shape: Shape) -> tuple[Shape, ...]:
        """Mean, variance, and the number of rows."""
        return shape[-1:], shape[-1:], ()

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Scales the last axis."""
        mean, variance, _ = arrays
        return (rows - mean) / np.maximum(np.sqrt(variance), np.float32(1e-7))


@dataclass(frozen=True)
class PixelScaling(PlainLayer):
    """Maps pixels 0..255 to 0..1."""

    def to_keras(self) -> keras.Layer:
        """Makes the layer, which learns nothing."""
        return import_keras().layers.Rescaling(1 / 255)

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Divides."""
        return rows * np.float32(1 / 255)


@dataclass(frozen=True)
class Flatten(PlainLayer):
    """Puts all numbers of a row side by side."""

    def to_keras(self) -> keras.Layer:
        """Makes the layer, which learns nothing."""
        return import_keras().layers.Flatten()

    def outputs(self, shape: Shape) -> Shape:
        """One axis."""
        return (math.prod(shape),)

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Reshapes."""
        return rows.reshape(len(rows), math.prod(rows.shape[1:]))


@dataclass(frozen=True)
class AverageOverPositions(PlainLayer):
    """Averages each channel over height and width."""

    def to_keras(self) -> keras.Layer:
        """Makes the layer, which learns nothing."""
        return import_keras().layers.GlobalAveragePooling2D()

    def outputs(self, shape: Shape) -> Shape:
        """The channels alone."""
        return shape[-1:]

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Averages."""
        return rows.mean(axis=(1, 2))


@dataclass(frozen=True)
class BatchNorm(PlainLayer):
    """Batch normalisation of the last axis.

    Attributes:
        momentum: Share of the moving averages that stays at each step.
    """

    saved_as: ClassVar[str] = "batch_normalization"
    momentum: float

    def to_keras(self) -> keras.Layer:
        """Makes the layer, untrained."""
        return import_keras().layers.BatchNormalization(momentum=self.momentum)

    def arrays(self, shape: Shape) -> tuple[Shape, ...]:
        """Scale, offset, and the moving averages of mean and variance."""
        return (shape[-1:],) * 4

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Scales by the moving averages."""
        scale, offset, mean, variance = arrays
        factor = scale / np.sqrt(variance + np.float32(1e-3))
        return rows * factor + (offset - mean * factor)


@dataclass(frozen=True)
class Dense(PlainLayer):
    """A dense layer.

    Attributes:
        units: Its width.
        activation: A name of Keras's: one of ``ACTIVATIONS``.
    """

    saved_as: ClassVar[str] = "dense"
    units: int
    activation: str = "relu"

    def to_keras(self) -> keras.Layer:
        """Makes the layer, untrained."""
        return import_keras().layers.Dense(self.units, activation=self.activation)

    def arrays(self, shape: Shape) -> tuple[Shape, ...]:
        """Kernel and bias."""
        return (shape[-1], self.units), (self.units,)

    def outputs(self, shape: Shape) -> Shape:
        """Its units."""
        return (*shape[:-1], self.units)

    def answer(self, rows: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Multiplies, adds and activates."""
        kernel, bias = arrays
        scores = rows @ kernel
        scores += bias
        return ACTIVATIONS[self.activation](scores)


@dataclass(frozen=True)
class Dropout(PlainLayer):
    """Drops outputs while training; an answer has them all.

    Attributes:
        share: How many are dropped.
    """

    share: float

    def to_keras(self) -> keras.Layer:
        """Makes the layer, which learns nothing."""
        return import_keras().layers.Dropout(self.share)


@dataclass(frozen=True)
class Convolution(Layer):
    """A 3x3 convolution with ReLU.

    Attributes:
        filters: Its number of filters.
        padding: ``valid``, or ``same`` to keep the size.
    """

    filters: int
    padding: str = "valid"

    def to_keras(self) -> keras.Layer:
        """Makes the layer, untrained."""
        return import_keras().layers.Conv2D(self.filters, 3, activation="relu", padding=self.padding)


@dataclass(frozen=True)
class MaxPooling(Layer):
    """2x2 max pooling.

    Attributes:
        padding: ``valid``, or ``same`` to keep the edge of an odd size.
    """

    padding: str = "valid"

    def to_keras(self) -> keras.Layer:
        """Makes the layer, which learns nothing."""
        return import_keras().layers.MaxPooling2D(padding=self.padding)


def classifier(task: Task, hidden: Sequence[Layer]) -> list[Layer]:
    """Lists scaled input -> hidden layers -> softmax over the classes.

    Several labels end in a logistic function each, and numbers in a linear layer.

    The scaling is one mean and one variance for each channel (last axis), over rows and positions. On
    features of random VGG16 filters, with activations in the hundreds, training stayed at chance without
    scaling, and with one scale for all channels at a rate of 1e-3 (at 1e-4 it took twice the epochs). A
    scale for each single feature did no better, with as many more numbers to estimate as positions.
    """
    return [Scaling(), *hidden, _output(task)]


def pixel_classifier(task: Task, hidden: Sequence[Layer]) -> list[Layer]:
    """Lists pixels 0..255 -> 0..1 -> hidden layers -> softmax over the classes."""
    return [PixelScaling(), *hidden, _output(task)]


def hidden_layers(widths: tuple[int, ...], dropout: float) -> list[Layer]:
    """Lists a dense layer with ReLU, followed by dropout, for each width."""
    return [layer for width in widths for layer in (Dense(width), Dropout(dropout))]


def pooled(task: Task) -> list[Layer]:
    """Lists the layer that averages over all positions; none where features have no positions."""
    return [AverageOverPositions()] if len(task.feature_shape) == 3 else []


def _output(task: Task) -> Layer:
    # Two classes are two outputs of a softmax like any other number: one loss, one meaning of accuracy.
    return Dense(task.n_classes, {CLASS: "softmax", LABELS: "sigmoid", NUMBER: "linear"}[task.target])
