"""The seam of stage two: what a head is given, what it has to do, and which heads there are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from pipeline import registry
from pipeline.heads._core.examples import Examples
from pipeline.images.targets import CLASS, KINDS
from pipeline.options import Option, options_of, parse_options
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import keras


HEADS = "pipeline.heads"
"""The folder of heads."""

History = dict[str, list[float]]
"""Figures of each epoch by name, e.g. ``{"loss": [...]}``; empty where there are no epochs."""


@dataclass(frozen=True)
class Task:
    """What a head maps from and to: with its options it determines the shape of everything it learns.

    Attributes:
        spec: What determined the numbers of the features.
        feature_shape: Shape of one row's features.
        n_classes: Number m of classes that have training rows; or of labels, or numbers.
        target: What is learnt of an image, see ``images/targets.py``.
    """

    spec: FeatureSpec
    feature_shape: tuple[int, ...]
    n_classes: int
    target: str = CLASS


class Model(Protocol):
    """A fitted head."""

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) in the stored dtype to probabilities, float (n, m)."""
        ...

    def save(self, path: Path) -> None:
        """Writes all that was learnt into one file."""
        ...


@runtime_checkable
class ExamplesModel(Model, Protocol):
    """A model that can share what is read: many models of the same training rows answer for one reading."""

    def predict_examples(self, rows: Examples) -> np.ndarray:
        """Maps rows to probabilities, float (n, m), as :meth:`Model.predict_proba` does their features."""
        ...


class Head(Protocol):
    """A recipe for a model: a frozen dataclass whose fields are its options.

    Attributes:
        file: Name of the file its models are saved in.
        software: Distributions whose versions are recorded with its models.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
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


class TargetModel(Protocol):
    """A fitted head whose images have several labels, or numbers."""

    def predict_targets(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) in the stored dtype to targets, float (n, k).

        They are the probabilities of each label, which need not sum to 1, or the values of each number.
        """
        ...

    def save(self, path: Path) -> None:
        """Writes all that was learnt into one file."""
        ...


@runtime_checkable
class TargetExamplesModel(TargetModel, Protocol):
    """A model of targets that can share what is read, as :class:`ExamplesModel` of classes."""

    def shares(self, rows: Examples) -> bool:
        """Tells whether what it answers from was made of these rows already, for all models."""
        ...

    def predict_targets_of(self, rows: Examples) -> np.ndarray:
        """Maps such rows to targets, float (n, k), as their features are mapped."""
        ...


@runtime_checkable
class TargetHead(Protocol):
    """What a head has besides, where it learns all labels of an image, or numbers, at once.

    Attributes:
        targets: The kinds of targets that it learns so.
    """

    targets: ClassVar[frozenset[str]]

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Learns from the targets of the training rows, float32 (n, k), NaN where one is unknown.

        ``valid`` only ever decides when to stop. The same seed gives the same model.
        """
        ...

    def file_of_targets(self, target: str) -> str:
        """Names the file that its models of a kind of target are saved in."""
        ...

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads what :meth:`TargetModel.save` wrote; nothing in the file is run.

        Raises:
            ValueError: The file holds something else; the text says what.
        """
        ...


@runtime_checkable
class GridHead(Head, Protocol):
    """A head whose fits share work: many with other options can be made on the same rows side by side."""

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes what the fits of a grid on the same training rows share; without it each fit makes its own.

        It is kept with ``train``, so workers that are given it afterwards find it made.

        Args:
            train: The training rows.
            grid: This head with other options, and itself.

        Raises:
            PipelineError: Training would take more memory than there is, or a feature is no finite number.
        """
        ...


@runtime_checkable
class Layered(Protocol):
    """What a head has besides, where its models can be written as layers: base and head as one network."""

    def to_network(self, model: Model | TargetModel, task: Task) -> keras.Model:
        """Writes a model of this head as a network of Keras's own layers.

        It takes features, float32 (n, *feature shape), and gives what :meth:`Model.predict_proba` gives, or
        :meth:`TargetModel.predict_targets`, in the units of the numbers themselves.
        """
        ...


@dataclass(frozen=True)
class HeadInfo:
    """What a user wants to know about a head before training it."""

    name: str
    description: str
    options: tuple[Option, ...]
    targets: tuple[str, ...] = (CLASS,)


def describe_head(name: str) -> HeadInfo:
    """Describes a head: its name, the first line of its docstring, its options.

    Raises:
        UsageError: There is no such head.
    """
    kind = _head_type(name)
    return HeadInfo(name, (inspect.getdoc(kind) or "").partition("\n")[0], options_of(kind), _learnt_by(kind))


def make_head(name: str, options: Mapping[str, object]) -> Head:
    """Makes a head from options given as text or as values of their types.

    Raises:
        UsageError: There is no such head or option, or a value does not fit its option.
    """
    kind = _head_type(name)
    return kind(**parse_options(kind, options, subject=f"head {name!r}"))


def layered_heads(target: str = CLASS) -> list[str]:
    """Lists the heads that learn a kind of target, and whose models can be written as layers."""
    kinds = {name: _head_type(name) for name in registry.names(HEADS)}
    return [name for name, kind in kinds.items() if issubclass(kind, Layered) and target in _learnt_by(kind)]


def _learnt_by(kind: type[Head]) -> tuple[str, ...]:
    return (CLASS, *(one for one in KINDS if one in getattr(kind, "targets", ())))


def _head_type(name: str) -> type[Head]:
    return registry.load(HEADS, "head", name, next_step="`pipeline heads` says what each does").HEAD
