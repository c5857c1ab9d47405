"""Ridge regression on the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head, History, TargetModel, Task
from pipeline.heads._core.targets import refuse_class_options
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn.least_squares import Solution, through_columns, through_rows
from pipeline.heads._sklearn.rowspace import spectrum
from pipeline.heads._sklearn.scatter import is_tall, within_scatter
from pipeline.heads._sklearn.sklearn_head import (
    LINEAR_TYPES,
    LayeredHead,
    Steps,
    checked_rows,
)
from pipeline.heads._sklearn.table import column_moments
from pipeline.heads._sklearn.target_answers import LinearTargets
from pipeline.heads._sklearn.target_linear import calibrated, prepare_ridges, solve_ridges, unit_of
from pipeline.heads._sklearn.target_steps import LINEAR_TARGETS, TargetSteps, read_target_steps
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.options import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class Ridge(LayeredHead):
    """Ridge regression on the classes: one matrix of inner products serves all penalties of a sweep.

    Least squares towards 1 for a row's class and -1 for the others. Each row's score without itself follows
    from the same solution (leave-one-out in closed form); the temperature of the softmax that makes
    probabilities of the scores is fitted on those, on 10,000 of them where rows are more than that and than
    columns.

    The decomposition for all penalties, where rows are fewer than columns, is that of big_vision's
    ``fewshot_lsr.py``. Where they are not, rows pass by in blocks and are never all in memory.

    Attributes:
        alpha: Strength of the L2 penalty, times the number of features, so that it means the same for any.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = LINEAR_TYPES
    targets: ClassVar = frozenset({LABELS, NUMBER})

    alpha: PositiveFloat = 1.0
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Solves in closed form; the seed draws the rows for the temperature, where they are very many."""
        from pipeline.heads._sklearn.scores import SoftmaxLinear

        found = self.solve(train, seed)
        inverse = fit_inverse_temperature(found.held_out, found.labels)
        return (SoftmaxLinear.of(found.coef, found.intercept, inverse),)

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Fits all labels, or numbers, by one decomposition; labels get a logistic curve each."""
        refuse_class_options(self, "class_weight")
        self._weigh(train)
        with checked_rows():
            found = solve_ridges(train, self.alpha * unit_of(train))
            if task.target == LABELS:
                linear = calibrated(found, train.targets)
            else:
                linear = LinearTargets(found.coef.astype(np.float32), found.intercept, logistic_=False)
        return TargetSteps((train.once(column_moments).scaler, linear)), {}

    def file_of_targets(self, target: str) -> str:
        """Names the file of all that was learnt."""
        return self.file

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads what answers are made of."""
        return read_target_steps(path, LINEAR_TARGETS)

    def solve(self, train: Examples, seed: int = 0) -> Solution:
        """Fits, and scores each row by the fit on all others."""
        penalty = self.alpha * train.once(column_moments).unit
        if is_tall(train):
            return through_columns(train, penalty, self.class_weight, seed)
        return through_rows(train, penalty, self.class_weight)

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the matrix that all penalties share, once for each way to weight the classes."""
        super().prepare(train, grid)
        if train.source.target != CLASS:
            prepare_ridges(train)
            return
        for head in grid:
            if isinstance(head, Ridge):
                train.once(within_scatter if is_tall(train) else spectrum, head.class_weight)

    def keeps_table(self, rows: int, columns: int) -> bool:
        """Tells that rows pass by in blocks where they are no fewer than columns."""
        return rows < columns

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Inner products with their decomposition; the scatter, its factor, and a rough copy of that."""
        return 48 * rows**2 if rows < columns else 24 * columns**2


HEAD = Ridge
