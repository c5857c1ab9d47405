"""The seam of stage two: what a head is given, and what it has to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np

from pipeline.errors import UsageError
from pipeline.heads._core.examples import Examples
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import keras


ANY = "any"
MAPS = "maps"
PIXELS = "pixels"
BASE = "base"
"""Kinds: any features; those with height and width; decoded images; a cut from which a base goes on."""


def refuse_other_kind(task: Task, kind: str, *, head: str) -> None:
    """Refuses features that a head cannot work on.

    Args:
        task: What the head is given.
        kind: ``ANY``, ``MAPS``, ``PIXELS`` or ``BASE``.
        head: Name of the head, for the message.

    Raises:
        UsageError: The message names the entry to extract instead.
    """
    spec = task.spec
    layer = spec.layer.partition("+")[0]  # joined cuts are flat; the first of them serves as the example
    if kind == PIXELS and spec.backbone != "pixels":
        raise UsageError(
            f"head {head!r} learns from the images themselves, not from features of {spec.backbone}: "
            f"run `pipeline extract --backbone pixels --image-size {spec.image_size}` and train on that entry"
        )
    if kind == MAPS and len(task.feature_shape) != 3:
        shape = ", ".join(map(str, task.feature_shape))
        raise UsageError(
            f"head {head!r} needs features with height, width and channels, not rows of shape ({shape}): "
            f"run `pipeline extract --backbone {spec.backbone} --image-size {spec.image_size} "
            f"--layer {layer} --pooling none` and train on that entry"
        )
    if kind == BASE and len(task.feature_shape) != 3:
        raise UsageError(
            f"head {head!r} goes on with the base where the features were cut, but these were pooled or "
            f"joined and no layer takes them: run `pipeline extract --backbone {spec.backbone} "
            f"--image-size {spec.image_size} --layer {layer} --pooling none` and train on that entry"
        )


@dataclass(frozen=True)
class Task:
    """What a head maps from and to: with its options it determines the shape of everything it learns.

    Attributes:
        spec: What determined the numbers of the features.
        feature_shape: Shape of one row's features.
        n_classes: Number m of classes that have training rows.
    """

    spec: FeatureSpec
    feature_shape: tuple[int, ...]
    n_classes: int


History = dict[str, list[float]]
"""Figures of each epoch by name, e.g. ``{"loss": [...]}``; empty where there are no epochs."""


class Model(Protocol):
    """A fitted head."""

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) in the stored dtype to probabilities, float (n, m)."""
        ...

    def save(self, path: Path) -> None:
        """Writes all that was learnt into one file."""
        ...


class Head(Protocol):
    """A recipe for a model: a frozen dataclass whose fields are its options.

    Attributes:
        file: Name of the file its models are saved in.
        software: Distributions whose versions are recorded with its models.
    """

    file: ClassVar[str]
    software: ClassVar[tuple[str, ...]]

    def fit(self, task: Task, train: Examples, valid: Examples | None, *, seed: int) -> tuple[Model, History]:
        """Learns from the training rows; ``valid`` only ever decides when to stop.

        Labels run from 0 to m-1 and each occurs in ``train``. The same seed gives the same model.
        """
        ...

    def load(self, path: Path, task: Task) -> Model:
        """Reads what :meth:`Model.save` wrote.

        Nothing in the file is run: a file can come from anywhere.

        Raises:
            ValueError: The file holds something else; the text says what.
        """
        ...


@runtime_checkable
class Layered(Protocol):
    """What a head has besides, where its models can be written as layers: base and head as one network."""

    def to_network(self, model: Model, task: Task) -> keras.Model:
        """Writes a model of this head as a network of Keras's own layers.

        It takes features, float32 (n, *feature shape), and gives what :meth:`Model.predict_proba` gives.
        """
        ...
