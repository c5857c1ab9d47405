"""Linear support vector machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn.number_head import NO_ERROR, NumberHead
from pipeline.heads._sklearn.rowspace import row_space
from pipeline.heads._sklearn.sklearn_head import (
    LINEAR_TYPES,
    LayeredHead,
    Steps,
    say_if_unfinished,
)
from pipeline.heads._sklearn.target_answers import LinearTargets
from pipeline.heads._sklearn.target_steps import LINEAR_TARGETS
from pipeline.options import Count, PositiveFloat


@dataclass(frozen=True, kw_only=True)
class LinearSvm(NumberHead, LayeredHead):
    """Linear support vector machine on standardised features, one class against the rest.

    The machine gives scores, not probabilities: these are the softmax of the scores, divided by one
    temperature that is fitted on the scores of rows held out in three folds. So a training takes four fits.
    Numbers are learnt by support vector regression, one fit each.

    Attributes:
        C: Inverse strength of the L2 penalty.
        max_iter: Limit on the iterations of the solver.
        tol: Gradient at which the solver stops.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = LINEAR_TYPES
    number_types: ClassVar = LINEAR_TARGETS

    C: PositiveFloat = 1e-4
    max_iter: Count = 1000
    tol: PositiveFloat = 1e-4
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Fits in the row space wherever that is smaller: the solver copies its table sixfold.

        It minimises the primal problem, where nothing is random; the seed cuts the folds.
        """
        from sklearn.svm import LinearSVC

        from pipeline.heads._sklearn.scores import SoftmaxLinear, both_sides, held_out_scores

        space = train.once(row_space)
        machine = LinearSVC(
            C=self.C, dual=False, max_iter=self.max_iter, tol=self.tol, class_weight=self.class_weight
        )
        held_out = held_out_scores(machine, space.rows, train.labels, seed=seed)
        machine.fit(space.rows, train.labels)
        say_if_unfinished(machine)
        coef = both_sides(machine.coef_.T).T
        intercept = both_sides(machine.intercept_[None])[0]
        inverse = fit_inverse_temperature(held_out, train.labels)
        return (SoftmaxLinear.of(space.to_columns(coef), intercept, inverse),)

    def learn_numbers(self, train: Examples, scale: NumberScale, seed: int) -> Steps:
        """Fits support vector regression in the row space, where nothing is random.

        Errors below a tenth of the spread are none, larger ones count as their squares.
        """
        from sklearn.svm import LinearSVR

        space = train.once(row_space)
        coef = np.zeros((len(scale.mean), space.rows.shape[1]))
        intercept = scale.mean.copy()
        for number, rows, wanted in scale.known_parts(train.targets):
            machine = LinearSVR(
                C=self.C,
                epsilon=NO_ERROR,
                loss="squared_epsilon_insensitive",
                dual=False,
                max_iter=self.max_iter,
                tol=self.tol,
            )
            machine.fit(space.rows[rows], wanted)
            say_if_unfinished(machine)
            coef[number] = scale.spread[number] * machine.coef_
            intercept[number] += scale.spread[number] * float(np.ravel(machine.intercept_)[0])
        return (LinearTargets(space.to_columns(coef), intercept, logistic_=False),)

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the row space."""
        super().prepare(train, grid)
        train.once(row_space)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """A float64 copy and 16 bytes for each value in the solver, and the Gram matrix where it is made."""
        return 24 * rows * min(rows, columns) + (32 * rows**2 if rows < columns else 0)


HEAD = LinearSvm
