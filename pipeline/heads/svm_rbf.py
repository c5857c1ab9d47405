"""Support vector machine with a Gaussian kernel."""

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
from pipeline.heads._sklearn.rowspace import gram
from pipeline.heads._sklearn.sklearn_head import Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.target_steps import KERNEL_TARGETS
from pipeline.options import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class SvmRbf(NumberHead):
    """Support vector machine with a Gaussian kernel on standardised features.

    The kernel follows from the Gram matrix, which is made once for all C and gamma. Probabilities are the
    softmax of the scores, divided by one temperature that is fitted on the scores of rows held out in three
    folds; between more than two classes the scores count won duels, so they are rough. Numbers are learnt by
    support vector regression.

    Attributes:
        C: Inverse strength of the penalty.
        gamma: Width of the kernel, divided by the number of features: larger is narrower.
        tol: Tolerance at which the solver stops.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = frozenset({"pipeline.heads._sklearn.scores.KernelMachine"})
    number_types: ClassVar = KERNEL_TARGETS

    C: PositiveFloat = 3.0
    gamma: PositiveFloat = 0.3
    tol: PositiveFloat = 1e-3
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Fits on the kernel matrix of the training rows; the seed cuts the folds."""
        from sklearn.svm import SVC

        from pipeline.heads._sklearn.scores import KernelMachine, held_out_scores

        table = train.once(standardised)
        kernel, gamma = self._kernel(train)
        machine = SVC(C=self.C, kernel="precomputed", tol=self.tol, class_weight=self.class_weight)
        held_out = held_out_scores(machine, kernel, train.labels, seed=seed)
        machine.fit(kernel, train.labels)
        inverse = fit_inverse_temperature(held_out, train.labels)
        return (KernelMachine.of(machine, table.values, gamma, inverse),)

    def learn_numbers(self, train: Examples, scale: NumberScale, seed: int) -> Steps:
        """Fits on the kernel matrix; errors below a tenth of the spread are none, larger ones count once."""
        from sklearn.svm import SVR

        from pipeline.heads._sklearn.target_answers import KernelTargets

        kernel, gamma = self._kernel(train)
        dual, intercept = np.zeros((len(scale.mean), len(train))), scale.mean.copy()
        for number, rows, wanted in scale.known_parts(train.targets):
            machine = SVR(C=self.C, kernel="precomputed", tol=self.tol, epsilon=NO_ERROR)
            machine.fit(kernel if len(rows) == len(train) else kernel[np.ix_(rows, rows)], wanted)
            dual[number, rows[machine.support_]] = scale.spread[number] * machine.dual_coef_[0]
            intercept[number] += scale.spread[number] * machine.intercept_[0]
        return (KernelTargets.of(dual, intercept, train.once(standardised).values, gamma),)

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the Gram matrix."""
        super().prepare(train, grid)
        train.once(gram)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Gram and kernel matrix, the fold's copy, the solver's own, and the support vectors."""
        return 32 * rows**2 + 4 * rows * columns

    def _kernel(self, train: Examples) -> tuple[np.ndarray, float]:
        """Returns the kernel matrix of the training rows, float64 (n, n), and its width."""
        from pipeline.heads._sklearn.scores import gaussian

        gamma = self.gamma / train.once(standardised).moments.unit
        inner = train.once(gram)
        return gaussian(inner, inner.diagonal(), inner.diagonal(), gamma), gamma


HEAD = SvmRbf
