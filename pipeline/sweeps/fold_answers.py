"""What cross-validation has of a head, whatever its targets: answers, folds, and what was chosen in each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TextIO

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.images.row_table import RowTable
from pipeline.plain_json import plain
from pipeline.sweeps.candidates import Candidate

INNER_FOLDS = 3
"""Folds of the rows of a fold, for choosing options and thresholds, and for networks to find when to stop."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldAnswers(ABC):
    """What a head answered, each image in a fold that was not learnt from.

    Attributes:
        features: All rows; ``split`` names the splits they come from.
        grid: The options that were chosen from, at least one candidate.
        index: int (n,), positions of the images among them of which something is known.
        groups: int (n,), what must stay together.
        answers: float64 (repeats, n, k), the answer to each image in each repeat.
        fold: int (repeats, n), the number of the fold that each image was answered in.
        chosen: The candidate of each fold, one repeat after the other.
        notes: Remarks without which the figures would mislead.
    """

    features: FeatureSet
    grid: tuple[Candidate, ...]
    index: np.ndarray
    groups: np.ndarray
    answers: np.ndarray
    fold: np.ndarray
    chosen: tuple[Candidate, ...]
    notes: tuple[str, ...]

    @property
    @abstractmethod
    def figure_name(self) -> str:
        """What folds are compared by, in words."""

    @property
    @abstractmethod
    def by_repeat(self) -> list[float | None]:
        """That figure over all images, of each repeat; None where it is not defined."""

    @property
    @abstractmethod
    def by_fold(self) -> np.ndarray:
        """That figure of each fold, float (repeats, folds); NaN where it is not defined."""

    @property
    @abstractmethod
    def lines(self) -> dict[str, str]:
        """The figures in words, by their names."""

    @abstractmethod
    def spelt(self, value: float) -> str:
        """Writes a value of the figure."""

    @property
    @abstractmethod
    def of_folds(self) -> str:
        """What the column of the folds is headed with."""

    @abstractmethod
    def spelt_of_fold(self, value: float) -> str:
        """Writes the value of a fold."""

    @property
    @abstractmethod
    def source(self) -> str:
        """How the interval of the figure is made."""

    @abstractmethod
    def figures_to_json(self) -> dict[str, Any]:
        """Returns the means of the figures over the repeats, by their keys."""

    @abstractmethod
    def write_predictions(self, file: TextIO) -> None:
        """Writes the truth and the mean answer of each image as CSV."""

    @cached_property
    def rows(self) -> RowTable:
        """The n images."""
        return self.features.rows.take(self.index)

    @property
    def folds(self) -> int:
        """How many folds there are in each repeat."""
        return int(self.fold.max()) + 1

    @property
    def times_chosen(self) -> list[tuple[Candidate, int]]:
        """How many folds chose each candidate, the most frequent first."""
        count = Counter(one.key for one in self.chosen)
        known = {one.key: one for one in self.grid}
        return [(known[key], times) for key, times in count.most_common()]

    @property
    def inner_folds(self) -> int | None:
        """In how many folds of a fold something was chosen; None where nothing was."""
        return INNER_FOLDS if len(self.grid) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --cv --json`` prints."""
        return {
            "head": self.grid[0].head,
            "dataset": self.features.dataset,
            "cv": {
                "folds": self.folds,
                "repeats": len(self.answers),
                **self.figures_to_json(),
                "rows": len(self.rows),
                "groups": len(np.unique(self.groups)),
                "splits": self.features.split.split("+"),
                "by_repeat": self.by_repeat,
                "by_fold": plain(self.by_fold),
                "chosen": [{"options": dict(one.options), "folds": n} for one, n in self.times_chosen],
                "inner_folds": self.inner_folds,
            },
            "notes": list(self.notes),
        }
