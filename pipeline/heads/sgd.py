"""Stochastic gradient descent on rows that stay on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced, row_weights
from pipeline.heads._core.examples import RUN_BYTES, Examples, read_finite, shuffled_runs
from pipeline.heads._core.head import Head, History, Task
from pipeline.heads._sklearn.sklearn_head import (
    DenseLayer,
    LayeredHead,
    SklearnModel,
    log_sigmoid,
)
from pipeline.heads._sklearn.table import columns_of, flat, row_blocks
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
    more than two classes it learns one against the rest, and the probabilities are scaled to sum to 1. The
    intercept is the weight of a column of ones, so the penalty holds for it, too.

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
        from sklearn.linear_model import SGDClassifier

        scaler = _fit_scaler(train)
        weights = row_weights(train.labels, self.class_weight)
        descent = SGDClassifier(
            loss="log_loss",
            alpha=self.alpha,
            learning_rate="constant",
            eta0=self.learning_rate,
            average=True,
            # With averages, scikit-learn starts every piece from the intercept that the first began with.
            fit_intercept=False,
            # The rows come in random order already.
            shuffle=False,
        )
        random = np.random.default_rng(seed)
        for _ in range(self.epochs):
            for chunk in shuffled_chunks(train, random):
                # Reading follows the order on disk, learning the order drawn.
                ascending = np.sort(chunk)
                block = _with_ones(scaler.transform(flat(read_finite(train.source, train.index[ascending]))))
                order = np.searchsorted(ascending, chunk)
                descent.partial_fit(
                    block[order],
                    train.labels[chunk],
                    classes=np.arange(task.n_classes),
                    sample_weight=weights[chunk],
                )
        descent.coef_, descent.intercept_ = descent.coef_[:, :-1].copy(), descent.coef_[:, -1].copy()
        descent.n_features_in_ -= 1
        # Only more training would need them, and they are no plain data, or twice the size of the weights.
        del descent._loss_function_, descent._standard_coef, descent._average_coef
        return SklearnModel((scaler, descent)), {}

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


def _with_ones(block: np.ndarray) -> np.ndarray:
    """Adds a column of ones to rows (n, d)."""
    return np.column_stack([block, np.ones(len(block), np.float32)])


def shuffled_chunks(train: Examples, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields every position 0..n-1 once, in chunks that fit into memory, int (k,) each.

    Runs of neighbouring rows are shuffled, and the rows of the many runs of a chunk among each other.
    """
    row_bytes = 4 * columns_of(train)
    runs = shuffled_runs(len(train), row_bytes, random)
    most = max(CHUNK_BYTES // max(RUN_BYTES, row_bytes), 1)
    for first in range(0, len(runs), most):
        yield random.permutation(np.concatenate(runs[first : first + most]))


def _fit_scaler(train: Examples) -> StandardScaler:
    """Makes the scaler that gives rows a mean squared length of 1, so that a step width suits any width."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(copy=False)
    for rows in row_blocks(train):
        scaler.partial_fit(flat(read_finite(train.source, train.index[rows])))
    scaler.scale_ *= math.sqrt(max(int(np.count_nonzero(scaler.var_)), 1))
    return scaler


HEAD = Sgd
