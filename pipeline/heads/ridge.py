"""Ridge regression on the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced, row_weights
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn.rowspace import spectrum
from pipeline.heads._sklearn.sklearn_head import LINEAR_TYPES, LayeredHead, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.options import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class Ridge(LayeredHead):
    """Ridge regression on the classes: one eigendecomposition serves all penalties of a sweep.

    Least squares towards 1 for a row's class and -1 for the others. Each row's score without itself follows
    from the same decomposition (leave-one-out in closed form); the temperature of the softmax that
    makes probabilities of the scores is fitted on those, which costs nothing.

    The decomposition for all penalties is that of big_vision's ``fewshot_lsr.py``.

    Attributes:
        alpha: Strength of the L2 penalty, times the number of features, so that it means the same for any.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = LINEAR_TYPES

    alpha: PositiveFloat = 1.0
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Solves in closed form; nothing is random."""
        from pipeline.heads._sklearn.scores import SoftmaxLinear

        table = train.once(standardised)
        left, squares, mean = train.once(spectrum, self.class_weight)
        weights = row_weights(train.labels, self.class_weight)
        share, root = weights / weights.sum(), np.sqrt(weights)[:, None]
        targets = np.where(train.labels[:, None] == np.arange(train.labels.max() + 1), 1.0, -1.0)
        offset = share @ targets
        wanted = root * (targets - offset)

        shrunk = 1 / (squares + self.alpha * table.moments.unit)
        seen = left.T @ wanted
        dual = root * (left @ (shrunk[:, None] * seen))
        # Rows were centred after scaling, so X_w^T a is X^T a less the mean's part.
        coef = dual.T.astype(np.float32) @ table.values - np.outer(dual.sum(axis=0), mean)
        intercept = offset - coef @ mean

        fitted = left @ ((squares * shrunk)[:, None] * seen)
        leverage = np.square(left) @ (squares * shrunk) + share
        residual = (wanted - fitted) / root / np.maximum(1 - leverage, 1e-12)[:, None]
        inverse = fit_inverse_temperature(targets - residual, train.labels)
        return (SoftmaxLinear.of(coef, intercept, inverse),)

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the decomposition, once for each way to weight the classes."""
        super().prepare(train, grid)
        for head in grid:
            if isinstance(head, Ridge):
                train.once(spectrum, head.class_weight)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The matrix of inner products with its decomposition, and the weighted rows where rows are more."""
        fewer = min(rows, columns)
        return 48 * fewer**2 + (0 if rows < columns else 16 * rows * columns)


HEAD = Ridge
