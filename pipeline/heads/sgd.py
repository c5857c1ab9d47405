"""Stochastic gradient descent on rows that stay on disk."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced, row_weights
from pipeline.heads._core.examples import RUN_BYTES, Examples, read_finite, shuffled_runs
from pipeline.heads._core.head import Head, History, Task
from pipeline.heads._sklearn.dense_layers import DenseLayer, log_sigmoid
from pipeline.heads._sklearn.descent import LogisticDescent
from pipeline.heads._sklearn.sklearn_head import LayeredHead, SklearnModel
from pipeline.heads._sklearn.table import column_moments, columns_of, flat
from pipeline.options import Count, PositiveFloat

if TYPE_CHECKING:
    from sklearn.linear_model import SGDClassifier
    from sklearn.preprocessing import StandardScaler

CHUNK_BYTES = 256 << 20
"""Float32 size of what is in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class Sgd(LayeredHead):
    """Logistic regression that reads the rows in pieces: for sets larger than memory.

    One pass finds the scaling; then each epoch reads every row once, in an order that is shuffled as far as
    reading in pieces allows. The weights are averaged over all steps (Polyak and Juditsky, 1992). Between
    more than two classes it learns one against the rest, and the probabilities are scaled to sum to 1.

    Attributes:
        alpha: Strength of the L2 penalty.
        epochs: Passes over the rows.
        learning_rate: Step width.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = frozenset({"sklearn.linear_model._stochastic_gradient.SGDClassifier"})

    alpha: PositiveFloat = 1e-5
    epochs: Count = 10
    learning_rate: PositiveFloat = 0.1
    class_weight: Balanced | None = None

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[SklearnModel, History]:
        """Trains in pieces of 256 MB; the seed draws the order of the rows."""
        scaler = _scaler(train)
        weights = row_weights(train.labels, self.class_weight)
        # Of two classes, one score tells both.
        classes = np.arange(task.n_classes) if task.n_classes > 2 else np.array([1])
        descent = LogisticDescent(columns_of(train), len(classes), self.alpha, self.learning_rate)
        random = np.random.default_rng(seed)
        for _ in range(self.epochs):
            for chunk in shuffled_chunks(train, random):
                # Reading follows the order on disk, learning the order drawn.
                ascending = np.sort(chunk)
                rows = scaler.transform(flat(read_finite(train.source, train.index[ascending])))
                targets = train.labels[chunk, None] == classes
                descent.learn(rows, np.searchsorted(ascending, chunk), targets, weights[chunk])
        return SklearnModel((scaler, self._classifier(descent, task))), {}

    def _classifier(self, descent: LogisticDescent, task: Task) -> SGDClassifier:
        """Writes what was learnt as the estimator of scikit-learn that would have learnt it."""
        from sklearn.linear_model import SGDClassifier

        classifier = SGDClassifier(
            loss="log_loss",
            alpha=self.alpha,
            learning_rate="constant",
            eta0=self.learning_rate,
            average=True,
            shuffle=False,
        )
        classifier.classes_, classifier.n_features_in_ = np.arange(task.n_classes), descent.columns
        classifier.coef_, classifier.intercept_ = descent.coef.astype(np.float32), descent.intercept
        return classifier

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes nothing: what is shared would be in memory."""

    def dense_layers(self, classifier: SGDClassifier) -> list[DenseLayer]:
        """Writes shares of one against the rest as a softmax: their logarithms take the place of scores."""
        from pipeline.heads._sklearn.scores import both_sides

        activation = "linear" if len(classifier.classes_) == 2 else log_sigmoid
        kernel, bias = both_sides(classifier.coef_.T), both_sides(classifier.intercept_[None])[0]
        return [DenseLayer(kernel, bias, activation)]

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Nothing that grows with the rows."""
        return 0


def shuffled_chunks(train: Examples, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields every position 0..n-1 once, in chunks that fit into memory, int (k,) each.

    Runs of neighbouring rows are shuffled, and the rows of the many runs of a chunk among each other.
    """
    row_bytes = 4 * columns_of(train)
    runs = shuffled_runs(len(train), row_bytes, random)
    most = max(CHUNK_BYTES // max(RUN_BYTES, row_bytes), 1)
    for first in range(0, len(runs), most):
        yield random.permutation(np.concatenate(runs[first : first + most]))


def _scaler(train: Examples) -> StandardScaler:
    """Makes the scaler that gives rows a mean squared length of 1, so that a step width suits any width."""
    moments = train.once(column_moments)
    scaler = copy.copy(moments.scaler)
    scaler.scale_ = scaler.scale_ * math.sqrt(moments.unit)
    return scaler


HEAD = Sgd
