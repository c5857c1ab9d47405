"""Nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from pipeline.heads._core.examples import Examples, of_features
from pipeline.heads._core.head import Head, History, TargetModel, Task
from pipeline.heads._sklearn.counterparts import Scaler
from pipeline.heads._sklearn.neighbours import Neighbours, with_length_1
from pipeline.heads._sklearn.reading import read_steps
from pipeline.heads._sklearn.sklearn_head import (
    SklearnHead,
    SklearnModel,
    Steps,
    checked_rows,
    whole_steps,
)
from pipeline.heads._sklearn.skops import holds, read_array, read_object, write_object
from pipeline.heads._sklearn.table import column_moments, columns_of, scaled_blocks
from pipeline.heads._sklearn.target_answers import TargetNeighbours
from pipeline.heads._sklearn.target_steps import NEIGHBOUR_TARGETS, TargetSteps, read_target_steps
from pipeline.images.targets import LABELS, NUMBER
from pipeline.options import Count, one_of

Votes = Annotated[str, one_of("uniform", "distance")]
ROWS = "rows"
"""Name of the array of rows in a saved model."""


@dataclass(frozen=True, kw_only=True)
class Knn(SklearnHead):
    """Nearest neighbours by the cosine of standardised features: no training, the rows are the model.

    Probabilities are shares of the votes. The saved model holds every training row in float32.

    Attributes:
        k: Number of neighbours; all rows where there are fewer.
        weights: What a vote counts: ``uniform``, or by the inverse of its ``distance``.
    """

    types: ClassVar = frozenset(
        {
            "pipeline.heads._sklearn.neighbours.Neighbours",
            # Those of models that version 0.2 saved, and earlier ones.
            "sklearn.neighbors._classification.KNeighborsClassifier",
            "sklearn.preprocessing._data.Normalizer",
        }
    )

    targets: ClassVar = frozenset({LABELS, NUMBER})

    k: Count = 20
    weights: Votes = "distance"

    def learn(self, train: Examples, seed: int) -> Steps:
        """Keeps the rows with length 1, on which the squared distance is twice that of the cosine."""
        return (self._neighbours(train.once(rows_of_length_1), train.labels),)

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[SklearnModel, History]:
        """Keeps the rows; nothing is random."""
        model, history = super().fit(task, train, valid, seed=seed)
        return KnnModel(model.steps), history

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Keeps the rows with their labels, or numbers; an answer is a mean of those of the neighbours."""
        self._weigh(train)
        with checked_rows():
            near = TargetNeighbours.of(train.once(rows_of_length_1), train.targets, self.k, self.weights)
        return KnnTargets((train.once(column_moments).scaler, near)), {}

    def file_of_targets(self, target: str) -> str:
        """Names the file of the rows."""
        return self.file

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads the rows and what is known of them."""
        scaler, found = read_target_steps(path, NEIGHBOUR_TARGETS).steps
        rows, targets = read_array(path, ROWS), found.targets_
        fit = rows.dtype == np.float32 and rows.ndim == 2 and targets.shape == (len(rows), task.n_classes)
        if not fit or not len(rows) or found.usual_.shape != (task.n_classes,):
            raise ValueError("its targets are not those of its rows")
        return KnnTargets((scaler, TargetNeighbours.of(rows, targets, self.k, self.weights)))

    def load(self, path: Path, task: Task) -> SklearnModel:
        """Reads the rows and their labels; how neighbours are found is no business of the file."""
        if holds(path, ROWS):
            scaler, found = whole_steps(read_steps(path, self.types), Scaler)
            rows, labels = read_array(path, ROWS), found.labels_
        else:  # version 0.2 saved it, or an earlier one
            from sklearn.preprocessing import StandardScaler

            scaler, *_, found = whole_steps(read_object(path, self.types), StandardScaler)
            rows, labels = found._fit_X, found._y
        seen = np.unique(labels) if labels.dtype.kind in "iu" else np.empty(0)
        fit = rows.dtype == np.float32 and rows.ndim == 2 and labels.shape == rows.shape[:1]
        if not fit or not np.array_equal(seen, np.arange(task.n_classes)):
            raise ValueError("its labels are not those of its rows")
        return KnnModel((scaler, self._neighbours(rows, labels)))

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the rows of length 1."""
        super().prepare(train, grid)
        train.once(rows_of_length_1)

    def _neighbours(self, rows: np.ndarray, labels: np.ndarray) -> Neighbours:
        return Neighbours.of(rows, labels, self.k, self.weights)

    def keeps_table(self, rows: int, columns: int) -> bool:
        """Tells that the rows are made block by block."""
        return False

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The rows with length 1."""
        return 4 * rows * columns


@dataclass(frozen=True, eq=False)
class KnnTargets(TargetSteps):
    """A scaler, and the neighbours of what it scaled, with their labels or numbers."""

    def save(self, path: Path) -> None:
        """Writes the rows piece by piece, beside the rest."""
        scaler, neighbours = self.steps
        write_object(path, (scaler, neighbours.without_rows()), {ROWS: neighbours.rows_})


@dataclass(frozen=True, eq=False)
class KnnModel(SklearnModel):
    """A scaler, and the neighbours of what it scaled."""

    def save(self, path: Path) -> None:
        """Writes the rows piece by piece, beside the rest."""
        scaler, neighbours = self.steps
        write_object(path, (scaler, neighbours.without_rows()), {ROWS: neighbours.rows_})


@of_features
def rows_of_length_1(train: Examples) -> np.ndarray:
    """Returns the standardised training rows divided by their lengths, float32 (n, d)."""
    rows = np.empty((len(train), columns_of(train)), np.float32)
    for part, block in scaled_blocks(train):
        rows[part] = with_length_1(block)
    return rows


HEAD = Knn
