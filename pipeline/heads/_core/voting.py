"""Fitted members of an ensemble: the answer is the mean of theirs, by their votes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from pipeline.heads._core.head import Model, TargetModel
from pipeline.heads._core.member_files import Shapes, write_archive

M = TypeVar("M", bound=Model | TargetModel)
Places = tuple[int | None, ...]
"""Which cut each member works on; None = all features as they are."""


@dataclass(frozen=True, eq=False)
class Members(Generic[M]):
    """Fitted members.

    Attributes:
        models: What each has learnt.
        counts: How many votes each has.
        files: Name of each one's file in the one that holds them all.
        places: Which cut each works on; None = all features as they are.
        shapes: Shape of one row's features at each cut.
    """

    models: tuple[M, ...]
    counts: tuple[int, ...]
    files: tuple[str, ...]
    places: Places
    shapes: Shapes

    @property
    def votes(self) -> int:
        """How many votes there are in all."""
        return sum(self.counts)

    def columns(self, place: int) -> slice:
        """Returns where the features of a cut stand in a row of all, side by side."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return slice(int(ends[place]) - math.prod(self.shapes[place]), int(ends[place]))

    def mean(self, features: np.ndarray, vote: Callable[[int, M, np.ndarray], np.ndarray]) -> np.ndarray:
        """Returns the weighted mean of what members answer to features (n, *feature shape), float64 (n, k).

        Args:
            features: Of all cuts, side by side.
            vote: Takes the votes of a member, the member, and the features of its cut: what it answers, times
                its votes, float64 (n, k).
        """
        total: np.ndarray | float = 0.0
        for count, model, place in zip(self.counts, self.models, self.places, strict=True):
            own = features
            if place is not None and len(self.shapes) > 1:
                own = features[:, self.columns(place)].reshape(len(features), *self.shapes[place])
            total = total + vote(count, model, own)
        return np.asarray(total) / self.votes

    def save(self, path: Path) -> None:
        """Writes the members into one file."""
        saves = [model.save for model in self.models]
        write_archive(path, self.shapes, dict(zip(self.files, saves, strict=True)))


@dataclass(frozen=True, eq=False)
class EnsembleModel(Members[Model]):
    """Fitted members that answer with classes."""

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to the weighted mean of the members' answers, float64 (n, m)."""
        return self.mean(features, _vote_on_classes)


@dataclass(frozen=True, eq=False)
class EnsembleTargets(Members[TargetModel]):
    """Fitted members that answer with several labels, or numbers."""

    def predict_targets(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to the weighted mean of the members' answers, float64 (n, k)."""
        return self.mean(features, _vote_on_targets)


def _vote_on_classes(count: int, model: Model, features: np.ndarray) -> np.ndarray:
    """Returns a member's probabilities, float64 (n, m), scaled to a sum of ``count``."""
    answers = np.asarray(model.predict_proba(features), np.float64)
    # In this order: ensembles that are saved answer with the same bits as ever.
    return count * answers / answers.sum(axis=1, keepdims=True)


def _vote_on_targets(count: int, model: TargetModel, features: np.ndarray) -> np.ndarray:
    return count * np.asarray(model.predict_targets(features), np.float64)
