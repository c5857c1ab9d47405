"""Several heads that answer together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipeline.cache.features import single_specs
from pipeline.errors import UsageError
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head, History, Layered, Model, Task, make_head
from pipeline.heads._core.member_files import Shapes, read_archive, write_archive
from pipeline.heads._core.members import EXAMPLE, Member, cut_position, read_members
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras

NAME = "ensemble"


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Several heads on the same features, or on cuts side by side: the weighted mean of their answers.

    `pipeline choose` makes it where it is worth more than its best member. Every member is trained on its own
    cut as it would be alone. Source: R. Caruana et al., "Ensemble selection from libraries of models", ICML
    2004.

    Attributes:
        members: ``[COUNT*]HEAD [OPTION=VALUE ...][@CUT]``, several with a plus between spaces; without a cut
            a member takes all features as they are.
    """

    file: ClassVar[str] = "model.zip"

    members: str = "logreg + ridge"

    def __post_init__(self) -> None:
        for member in read_members(self.members):
            if member.head == NAME:
                raise UsageError(f"an ensemble cannot be a member of one: write its members, {EXAMPLE!r}")
            make_head(member.head, member.options)  # refuses what it cannot be made of

    @cached_property
    def parts(self) -> tuple[tuple[Member, Head], ...]:
        """The members, each with its head."""
        return tuple((one, make_head(one.head, one.options)) for one in read_members(self.members))

    @property
    def files(self) -> list[str]:
        """Names of the members' files in the one that holds them all."""
        return [f"{number}-{head.file}" for number, (_, head) in enumerate(self.parts)]

    @property
    def software(self) -> tuple[str, ...]:
        """Distributions whose versions are recorded: those of the members."""
        return tuple(dict.fromkeys(name for _, head in self.parts for name in head.software))

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[EnsembleModel, History]:
        """Trains each member on its cut; those on the same cut share what is made of its rows.

        Raises:
            UsageError: A member works on a cut that is not there.
        """
        rows, held_out = _by_cut(train), None if valid is None else _by_cut(valid)
        shapes = tuple(one.source.feature_shape for one in rows)
        models: list[Model] = []
        places = _places(self, task)
        for (_, head), place in zip(self.parts, places, strict=True):
            learnt = train if place is None else rows[place]
            chosen = valid if place is None or held_out is None else held_out[place]
            model, _ = head.fit(_task_at(task, place, shapes), learnt, chosen, seed=seed)
            models.append(model)
        return EnsembleModel(self, tuple(models), tuple(places), shapes), {}

    def load(self, path: Path, task: Task) -> EnsembleModel:
        """Reads the file of each member as its head does."""
        places = _places(self, task)
        loads = [
            partial(_load_member, head, task, place)
            for (_, head), place in zip(self.parts, places, strict=True)
        ]
        shapes, models = read_archive(path, dict(zip(self.files, loads, strict=True)))
        return EnsembleModel(self, tuple(models), tuple(places), shapes)

    def to_network(self, model: EnsembleModel, task: Task) -> keras.Model:
        """Writes the members side by side as one network.

        Raises:
            UsageError: A member cannot be written as layers.
        """
        keras = import_keras()
        inputs = keras.Input(task.feature_shape)
        answers: list[Any] = []
        for (member, head), learnt, place in zip(self.parts, model.models, model.places, strict=True):
            if not isinstance(head, Layered):
                raise UsageError(
                    f"an ensemble with {member.head!r} in it cannot be exported: the answers of that are not "
                    "those of layers. Train one without it: `--set members=...`"
                )
            of_cut = _task_at(task, place, model.shapes)
            network = head.to_network(learnt, of_cut)
            network.name = f"member_{len(answers)}"
            features = inputs
            if place is not None and len(model.shapes) > 1:
                columns = model.columns(place)
                features = inputs[:, columns.start : columns.stop]
                features = keras.layers.Reshape(of_cut.feature_shape)(features)
            answers.append(network(features) * (member.count / model.votes))
        return keras.Model(inputs, keras.ops.sum(keras.ops.stack(answers), axis=0))


@dataclass(frozen=True, eq=False)
class EnsembleModel:
    """Fitted members.

    Attributes:
        head: The ensemble they are of.
        models: What each has learnt.
        places: Which cut each works on; None = all features as they are.
        shapes: Shape of one row's features at each cut.
    """

    head: Ensemble
    models: tuple[Model, ...]
    places: tuple[int | None, ...]
    shapes: Shapes

    @property
    def votes(self) -> int:
        """How many votes there are in all."""
        return sum(member.count for member, _ in self.head.parts)

    def columns(self, place: int) -> slice:
        """Returns where the features of a cut stand in a row of all, side by side."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return slice(int(ends[place]) - math.prod(self.shapes[place]), int(ends[place]))

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to the weighted mean of the members' answers, float64 (n, m)."""
        total: np.ndarray | float = 0.0
        for (member, _), model, place in zip(self.head.parts, self.models, self.places, strict=True):
            own = features
            if place is not None and len(self.shapes) > 1:
                own = features[:, self.columns(place)].reshape(len(features), *self.shapes[place])
            answers = np.asarray(model.predict_proba(own), np.float64)
            total = total + member.count * answers / answers.sum(axis=1, keepdims=True)
        return np.asarray(total) / self.votes

    def save(self, path: Path) -> None:
        """Writes the members into one file."""
        saves = [model.save for model in self.models]
        write_archive(path, self.shapes, dict(zip(self.head.files, saves, strict=True)))


def _by_cut(rows: Examples) -> list[Examples]:
    """Returns the same rows with the features of each cut by itself."""
    if len(rows.source.cuts) == 1:
        return [rows]
    return [Examples(cut, rows.index, rows.labels) for cut in rows.source.cuts]


def _places(head: Ensemble, task: Task) -> list[int | None]:
    specs = single_specs(task.spec)
    return [cut_position(member.cut, specs) if member.cut else None for member, _ in head.parts]


def _task_at(task: Task, place: int | None, shapes: Shapes) -> Task:
    """Returns the task of a member, on one cut or on all features as they are."""
    if place is None:
        return task
    return replace(task, spec=single_specs(task.spec)[place], feature_shape=shapes[place])


def _load_member(head: Head, task: Task, place: int | None, file: Path, shapes: Shapes) -> Model:
    joined = sum(math.prod(shape) for shape in shapes)
    if len(shapes) != len(single_specs(task.spec)) or joined != math.prod(task.feature_shape):
        raise ValueError("its shapes are not those of the features that head.json describes")
    return head.load(file, _task_at(task, place, shapes))


HEAD = Ensemble
