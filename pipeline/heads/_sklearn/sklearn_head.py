"""What all scikit-learn heads share: one standardised table in, files without code out.

The answers of some are those of dense layers, so that a network can give them, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipeline.errors import PipelineError
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head, History, Model, TargetModel, Task
from pipeline.heads._sklearn.counterparts import Scaler, counterpart
from pipeline.heads._sklearn.dense_layers import DenseLayer, folded, softmax_network
from pipeline.heads._sklearn.per_label import FILE, fit_per_label, load_per_label
from pipeline.heads._sklearn.reading import read_steps
from pipeline.heads._sklearn.skops import write_object
from pipeline.heads._sklearn.table import column_moments, columns_of, flat, scaled_by, standardised
from pipeline.heads._sklearn.target_network import target_network
from pipeline.heads._sklearn.threads import LARGE_BYTES
from pipeline.images.targets import LABELS
from pipeline.memory import available_bytes
from pipeline.progress import say
from pipeline.registry import name_of
from pipeline.wording import counted

if TYPE_CHECKING:
    import keras
    from sklearn.base import BaseEstimator


LINEAR_TYPES = frozenset({"pipeline.heads._sklearn.scores.SoftmaxLinear"})
TREE_TYPES = frozenset({"pipeline.heads._sklearn.trees.Trees"})

USUAL_SHARE = 2.5
"""Memory that heads take at most, as a share of the float32 features; the few that need more say so first."""

Steps = tuple[Any, ...]
"""Fitted transformers, and a classifier at the end."""


@dataclass(frozen=True, kw_only=True)
class SklearnHead:
    """Base of the heads that scikit-learn trains.

    Attributes:
        types: Full names of the types in its saved models, apart from the plain ones.
    """

    file: ClassVar[str] = "model.skops"
    software: ClassVar[tuple[str, ...]] = ("scikit-learn", "skops", "numpy", "scipy")
    types: ClassVar[frozenset[str]] = frozenset()
    targets: ClassVar[frozenset[str]] = frozenset({LABELS})

    def learn(self, train: Examples, seed: int) -> Steps:
        """Learns from the table of the training rows, ``train.once(standardised)``.

        Returns:
            What maps a standardised table (n, d) to probabilities (n, m): any transformers, and a classifier.
        """
        raise NotImplementedError

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the standardised table, or its moments, see :meth:`GridHead.prepare`."""
        self._weigh(train)
        if self.keeps_table(len(train), columns_of(train)):
            train.once(standardised)
        train.once(column_moments)

    def keeps_table(self, rows: int, columns: int) -> bool:
        """Tells whether all rows are in memory as a float32 table; else they pass by in blocks."""
        return True

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Estimates the memory that training takes besides the table of its rows."""
        raise NotImplementedError

    def class_bytes(self, classes: int) -> int:
        """Estimates, from below, the memory that grows with the square of the number of classes."""
        return 0

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[SklearnModel, History]:
        """Trains on all rows; there is nothing for ``valid`` to stop.

        Raises:
            PipelineError: Training would take more memory than there is.
        """
        self._weigh(train)
        with checked_rows():
            steps = self.learn(train, seed)
        return SklearnModel((train.once(column_moments).scaler, *steps)), {}

    def load(self, path: Path, task: Task) -> SklearnModel:
        """Reads what answers are made of, after checking that the file names no type but the known ones."""
        return SklearnModel(whole_steps(read_steps(path, self.types), Scaler))

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Fits a model for each label, on one table of the rows where it is kept in memory.

        Raises:
            PipelineError: Training would take more memory than there is.
        """
        if self.keeps_table(len(train), columns_of(train)):
            self._weigh(train)
            train.once(standardised)
        return fit_per_label(self, task, train, seed=seed), {}

    def file_of_targets(self, target: str) -> str:
        """Names the archive of the models."""
        return FILE

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads the model of each label."""
        return load_per_label(self, path, task)

    def _weigh(self, train: Examples) -> None:
        """Refuses what would take more memory than there is, and tells of what takes very much."""
        rows, columns, classes = len(train), columns_of(train), int(train.labels.max()) + 1
        table = 4 * rows * columns
        needed = self.extra_bytes(rows, columns) + self.class_bytes(classes)
        needed += table if self.keeps_table(rows, columns) and not train.has(standardised) else 0
        available = available_bytes()
        subject = f"head {name_of(type(self))!r}"
        size = f"{counted(rows, 'row')} of {counted(columns, 'feature')} in {counted(classes, 'class')}"
        if needed > available:
            raise PipelineError(
                f"{subject} works in memory: {size} would take about {needed / 1e9:.1f} GB, "
                f"{available / 1e9:.1f} GB are available. Use `--head sgd` or a Keras "
                "head such as `--head dense`, which read the rows in pieces, or "
                "extract fewer features a row with `pipeline extract --pooling avg`"
            )
        if needed > max(USUAL_SHARE * table, LARGE_BYTES):
            say(
                f"note: {subject} takes about {needed / 1e9:.1f} GB of memory for {size}, "
                f"{needed / table:.1f} times their size in float32"
            )


def whole_steps(steps: Any, scaler: type) -> Steps:
    """Returns what was read from a file, after making sure that it is a scaler and what follows it.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(steps, tuple) or len(steps) < 2 or not isinstance(steps[0], scaler):
        raise ValueError(f"it holds a {type(steps).__name__}, not a scaler and what follows it")
    return steps


@dataclass(frozen=True, eq=False)
class SklearnModel:
    """Fitted steps: the scaler of the training rows, and what was learnt from the scaled rows.

    Estimators answer through their counterparts, so that a head that was loaded answers bit for bit what it
    answered after its training.
    """

    steps: Steps

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to probabilities, float (n, m)."""
        return self._of_table(counterpart(self.steps[0]).transform(flat(features)))

    def shares(self, rows: Examples) -> bool:
        """Tells whether rows were read and scaled for all models of the same training rows."""
        return rows.has(scaled_by, self.steps[0])

    def predict_examples(self, rows: Examples) -> np.ndarray:
        """Maps rows to probabilities, float (n, m), after reading and scaling them once for all models.

        For rows that fit into memory, which many models of the same training rows are compared on.
        """
        return self._of_table(rows.once(scaled_by, self.steps[0]))

    def save(self, path: Path) -> None:
        """Writes the steps in the format of skops, which holds data only."""
        write_object(path, self.steps)

    def _of_table(self, table: np.ndarray) -> np.ndarray:
        _, *transformers, classifier = map(counterpart, self.steps)
        for step in transformers:
            table = step.transform(table)
        return classifier.predict_proba(table)


@dataclass(frozen=True, kw_only=True)
class LayeredHead(SklearnHead):
    """Base of the heads that are a softmax over dense layers on the standardised table.

    Of several labels, or numbers, they are as many scores, see ``target_network``.
    """

    def dense_layers(self, classifier: Any) -> list[DenseLayer]:
        """Writes a fitted classifier as layers, from a standardised table (n, d) to the input of a softmax.

        The default is that of a ``SoftmaxLinear``; a head that fits another classifier writes its own.
        """
        inverse = classifier.sharpness_
        return [DenseLayer(inverse * classifier.coef_.T, inverse * classifier.intercept_)]

    def to_network(self, model: Model | TargetModel, task: Task) -> keras.Model:
        """Writes a model as a network, the scaling folded into its first layer."""
        if isinstance(model, SklearnModel):
            return softmax_network(task, self._layers_of(model))
        return target_network(task, model, self._layers_of)

    def _layers_of(self, model: SklearnModel) -> list[DenseLayer]:
        scaler, classifier = model.steps
        return folded(scaler, self.dense_layers(classifier))


@contextmanager
def checked_rows() -> Iterator[None]:
    """Spares estimators the search for values that are not finite, and users their warnings."""
    from sklearn import config_context
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), config_context(assume_finite=True):
        # :func:`say_if_unfinished` says it in words that lead somewhere.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Many classes of few rows are classes all the same.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than", UserWarning)
        yield


def say_if_unfinished(solver: BaseEstimator) -> None:
    """Says how to go on where a solver ran into its limit of iterations."""
    if np.max(solver.n_iter_) >= solver.max_iter:
        say_unfinished(solver.max_iter)


def say_unfinished(limit: int) -> None:
    """Says that a solver ran into a limit of iterations, and how to go on."""
    say(
        f"note: the solver had not converged after max_iter={limit} iterations; "
        f"`--set max_iter={10 * limit}` gives it more"
    )
