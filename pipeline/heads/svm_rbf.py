"""Support vector machine with a Gaussian kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Head
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn.rowspace import gram
from pipeline.heads._sklearn.sklearn_head import SklearnHead, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.options import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class SvmRbf(SklearnHead):
    """Support vector machine with a Gaussian kernel on standardised features.

    The kernel follows from the Gram matrix, which is made once for all C and gamma. Probabilities are the
    softmax of the scores, divided by one temperature that is fitted on the scores of rows held out in three
    folds; between more than two classes the scores count won duels, so they are rough.

    Attributes:
        C: Inverse strength of the penalty.
        gamma: Width of the kernel, divided by the number of features: larger is narrower.
        tol: Tolerance at which the solver stops.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = frozenset({"pipeline.heads._sklearn.scores.KernelMachine"})

    C: PositiveFloat = 3.0
    gamma: PositiveFloat = 0.3
    tol: PositiveFloat = 1e-3
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Fits on the kernel matrix of the training rows; the seed cuts the folds."""
        from sklearn.svm import SVC

        from pipeline.heads._sklearn.scores import KernelMachine, gaussian, held_out_scores

        table = train.once(standardised)
        gamma = self.gamma / table.moments.unit
        inner = train.once(gram)
        kernel = gaussian(inner, inner.diagonal(), inner.diagonal(), gamma)
        machine = SVC(C=self.C, kernel="precomputed", tol=self.tol, class_weight=self.class_weight)
        held_out = held_out_scores(machine, kernel, train.labels, seed=seed)
        machine.fit(kernel, train.labels)
        inverse = fit_inverse_temperature(held_out, train.labels)
        return (KernelMachine.of(machine, table.values, gamma, inverse),)

    def prepare(self, train: Examples, grid: Sequence[Head]) -> None:
        """Makes the Gram matrix."""
        super().prepare(train, grid)
        train.once(gram)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Gram and kernel matrix, the fold's copy, the solver's own, and the support vectors."""
        return 32 * rows**2 + 4 * rows * columns


HEAD = SvmRbf
