"""Several heads that answer together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pipeline.cache.features import single_specs
from pipeline.errors import UsageError
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import (
    Head,
    History,
    Layered,
    Model,
    TargetHead,
    TargetModel,
    Task,
    make_head,
)
from pipeline.heads._core.member_files import Shapes, read_archive
from pipeline.heads._core.members import EXAMPLE, Member, cut_position, read_members
from pipeline.heads._core.targets import file_of, heads_for, target_head
from pipeline.heads._core.voting import EnsembleModel, EnsembleTargets, M, Places
from pipeline.images.targets import LABELS, NUMBER, described
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras

NAME = "ensemble"
OF_ANY_TARGET = "ridge + knn"
"""Members that learn every kind of target."""
M_co = TypeVar("M_co", bound=Model | TargetModel, covariant=True)
Fitted = tuple[tuple[M, ...], tuple[int, ...], tuple[str, ...], Places, Shapes]
"""The fields of ``Members``."""


class Fit(Protocol[M_co]):
    """What trains a member, for answers of one kind."""

    def __call__(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[M_co, History]:
        """Returns the fitted member and its history, see ``Head.fit``."""
        ...


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
    targets: ClassVar[frozenset[str]] = frozenset({LABELS, NUMBER})

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

    def files(self, target: str) -> tuple[str, ...]:
        """Names of the members' files in the one that holds them all.

        Raises:
            UsageError: A member does not learn such targets.
        """
        return tuple(f"{number}-{file_of(head, target)}" for number, (_, head) in enumerate(self.parts))

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
        fits = [head.fit for _, head in self.parts]
        return EnsembleModel(*self._fitted(fits, task, train, valid, seed)), {}

    def load(self, path: Path, task: Task) -> EnsembleModel:
        """Reads the file of each member as its head does."""
        return EnsembleModel(*self._loaded([head.load for _, head in self.parts], path, task))

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Trains each member on all labels, or numbers, as :meth:`fit` does on classes.

        Raises:
            UsageError: A member works on a cut that is not there, or does not learn such targets.
        """
        fits = [head.fit_targets for head in self._target_heads(task.target)]
        return EnsembleTargets(*self._fitted(fits, task, train, valid, seed)), {}

    def file_of_targets(self, target: str) -> str:
        """Names the archive of the members."""
        return self.file

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads the file of each member as its head does."""
        loads = [head.load_targets for head in self._target_heads(task.target)]
        return EnsembleTargets(*self._loaded(loads, path, task))

    def _fitted(
        self,
        fits: Sequence[Fit[M]],
        task: Task,
        train: Examples,
        valid: Examples | None,
        seed: int,
    ) -> Fitted[M]:
        rows, held_out = _by_cut(train), None if valid is None else _by_cut(valid)
        shapes = tuple(one.source.feature_shape for one in rows)
        models: list[M] = []
        places = _places(self, task)
        for fit, place in zip(fits, places, strict=True):
            learnt = train if place is None else rows[place]
            chosen = valid if place is None or held_out is None else held_out[place]
            model, _ = fit(_task_at(task, place, shapes), learnt, chosen, seed=seed)
            models.append(model)
        return self._together(models, task.target, places, shapes)

    def _loaded(self, loads: Sequence[Callable[[Path, Task], M]], path: Path, task: Task) -> Fitted[M]:
        places = _places(self, task)
        readers = [partial(_load_member, load, task, at) for load, at in zip(loads, places, strict=True)]
        shapes, models = read_archive(path, dict(zip(self.files(task.target), readers, strict=True)))
        return self._together(models, task.target, places, shapes)

    def _together(self, models: Sequence[M], target: str, places: Places, shapes: Shapes) -> Fitted[M]:
        counts = tuple(member.count for member, _ in self.parts)
        return tuple(models), counts, self.files(target), places, shapes

    def _target_heads(self, target: str) -> list[TargetHead]:
        """Returns the members' heads as such that learn a kind of target.

        Raises:
            UsageError: One of them does not.
        """
        try:
            return [target_head(head, target) for _, head in self.parts]
        except UsageError as error:
            choices = [name for name in heads_for(target) if name != NAME]
            raise UsageError(
                f"a member of the ensemble {self.members!r} does not learn {described(target)}: choose from "
                f"{', '.join(choices)}, for example `--set 'members={OF_ANY_TARGET}'`"
            ) from error

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


def _by_cut(rows: Examples) -> list[Examples]:
    """Returns the same rows with the features of each cut by itself."""
    if len(rows.source.cuts) == 1:
        return [rows]
    return [Examples(cut, rows.index, rows.labels, rows.targets) for cut in rows.source.cuts]


def _places(head: Ensemble, task: Task) -> Places:
    specs = single_specs(task.spec)
    return tuple(cut_position(member.cut, specs) if member.cut else None for member, _ in head.parts)


def _task_at(task: Task, place: int | None, shapes: Shapes) -> Task:
    """Returns the task of a member, on one cut or on all features as they are."""
    if place is None:
        return task
    return replace(task, spec=single_specs(task.spec)[place], feature_shape=shapes[place])


def _load_member(
    load: Callable[[Path, Task], M], task: Task, place: int | None, file: Path, shapes: Shapes
) -> M:
    joined = sum(math.prod(shape) for shape in shapes)
    if len(shapes) != len(single_specs(task.spec)) or joined != math.prod(task.feature_shape):
        raise ValueError("its shapes are not those of the features that head.json describes")
    return load(file, _task_at(task, place, shapes))


HEAD = Ensemble
