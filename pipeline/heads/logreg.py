"""Logistic regression, the first head to try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pipeline.heads._options import Count, PositiveFloat
from pipeline.heads._sklearn import SklearnHead

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class LogReg(SklearnHead):
    """Logistic regression on standardised features: seconds to train, and hard to beat.

    Attributes:
        C: Inverse strength of the L2 penalty. Features outnumber rows, so the default penalises strongly.
        max_iter: Limit on the iterations of the solver.
        tol: Gradient at which the solver stops.
    """

    types: ClassVar = frozenset({"sklearn.linear_model._logistic.LogisticRegression"})

    C: PositiveFloat = 0.01
    max_iter: Count = 1000
    tol: PositiveFloat = 1e-4

    def estimator(self, seed: int) -> Pipeline:
        """Builds scaler and regression; L-BFGS starts from zero, so there is nothing to seed."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(
            StandardScaler(copy=False), LogisticRegression(C=self.C, max_iter=self.max_iter, tol=self.tol)
        )


HEAD = LogReg
