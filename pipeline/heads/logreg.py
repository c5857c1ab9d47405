"""Logistic regression, the first head to try."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head, History, TargetModel, Task
from pipeline.heads._sklearn.dense_layers import DenseLayer
from pipeline.heads._sklearn.label_paths import Solved, solve_labels
from pipeline.heads._sklearn.many_logistic import extrapolated
from pipeline.heads._sklearn.rowspace import pays, row_space
from pipeline.heads._sklearn.sklearn_head import (
    LayeredHead,
    Steps,
    checked_rows,
    say_if_unfinished,
    say_unfinished,
)
from pipeline.heads._sklearn.table import column_moments, standardised
from pipeline.heads._sklearn.target_steps import LINEAR_TARGETS, TargetSteps, read_target_steps
from pipeline.heads._sklearn.threads import single_thread
from pipeline.images.targets import CLASS
from pipeline.options import Count, PositiveFloat

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True, kw_only=True)
class LogReg(LayeredHead):
    """Logistic regression on standardised features: seconds to train, and hard to beat.

    Several labels are fitted together, each as it would be by itself.

    Attributes:
        C: Inverse strength of the L2 penalty. Features outnumber rows, so the default penalises strongly.
        max_iter: Limit on the iterations of the solver.
        tol: Gradient at which the solver stops.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = frozenset({"sklearn.linear_model._logistic.LogisticRegression"})

    C: PositiveFloat = 0.01
    max_iter: Count = 1000
    tol: PositiveFloat = 1e-4
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Fits from zero, or returns what :meth:`prepare` has fitted already; nothing is random."""
        solved = train.once(_solutions).get(self)
        if solved is None:
            solved = self._estimator()
            values = train.once(standardised).values
            with single_thread(values.nbytes):
                solved.fit(values, train.labels)
        say_if_unfinished(solved)
        return (solved,)

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Fits a path from small to large C, each from where the two before it point to.

        Every fit runs until it meets its own ``tol``, so the start shifts the result within that only. Ten
        values of C took 69 iterations instead of 171 from the one before, and 55 this way.
        """
        super().prepare(train, grid)
        paths: dict[LogReg, list[LogReg]] = {}
        for head in sorted({head for head in grid if isinstance(head, LogReg)}, key=lambda head: head.C):
            paths.setdefault(replace(head, C=1.0), []).append(head)
        solve = _solve_path if train.source.target == CLASS else _solve_labels
        with checked_rows():
            for path in paths.values():
                solve(train, path)

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Fits all labels together, or returns what :meth:`prepare` has fitted already; nothing is random."""
        self._weigh(train)
        if self not in train.once(_label_solutions):
            _solve_labels(train, [self])
        solved = train.once(_label_solutions)[self]
        if not solved.converged:
            say_unfinished(self.max_iter)
        return TargetSteps((train.once(column_moments).scaler, solved.answering)), {}

    def file_of_targets(self, target: str) -> str:
        """Names the file of all that was learnt."""
        return self.file

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads what answers are made of."""
        return read_target_steps(path, LINEAR_TARGETS)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The solver keeps some twenty vectors of coefficients."""
        return 160 * columns

    def dense_layers(self, classifier: LogisticRegression) -> list[DenseLayer]:
        """Writes the one score of two classes as two."""
        from pipeline.heads._sklearn.scores import both_sides

        return [DenseLayer(both_sides(classifier.coef_.T), both_sides(classifier.intercept_[None])[0])]

    def _estimator(self) -> LogisticRegression:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(
            C=self.C, max_iter=self.max_iter, tol=self.tol, class_weight=self.class_weight
        )


def _solutions(train: Examples) -> dict[LogReg, LogisticRegression]:
    """Returns the place where fits on these rows are kept, empty at first."""
    return {}


def _solve_path(train: Examples, path: list[LogReg]) -> None:
    """Fits heads that differ in C, smallest first: in the row space where that pays, then in the columns."""
    values = train.once(standardised).values
    classes = int(train.labels.max()) + 1
    space = train.once(row_space) if pays(len(values), values.shape[1], len(path), classes) else None
    passed: list[tuple[float, np.ndarray]] = []
    for head in path:
        estimator = head._estimator().set_params(warm_start=True)
        start = extrapolated(passed, math.log(head.C))
        if start is not None:
            estimator.coef_, estimator.intercept_ = start[:, :-1], start[:, -1]
        with single_thread(values.nbytes):
            if space is not None:
                estimator.fit(space.rows, train.labels)
                passed.append((math.log(head.C), _parameters(estimator)))
                estimator.coef_ = space.to_columns(estimator.coef_)
            # After the row space this only makes sure: it stops at once where the gradient is below tol.
            estimator.fit(values, train.labels)
            if space is None:
                passed.append((math.log(head.C), _parameters(estimator)))
        train.once(_solutions)[head] = estimator.set_params(warm_start=False)


def _label_solutions(train: Examples) -> dict[LogReg, Solved]:
    """Returns the place where fits of labels of these rows are kept, empty at first."""
    return {}


def _solve_labels(train: Examples, path: list[LogReg]) -> None:
    """Fits heads that differ in C on all labels, smallest first."""
    first = path[0]
    strengths = [head.C for head in path]
    found = solve_labels(
        train, strengths, tol=first.tol, max_iter=first.max_iter, class_weight=first.class_weight
    )
    train.once(_label_solutions).update(zip(path, found, strict=True))


def _parameters(estimator: LogisticRegression) -> np.ndarray:
    """Returns coefficients and intercepts side by side, float32 (scores, r + 1)."""
    return np.column_stack([estimator.coef_, estimator.intercept_]).astype(np.float32)


HEAD = LogReg
