"""Naive Bayes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.sklearn_head import SklearnHead, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.options import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class NaiveBayes(SklearnHead):
    """Naive Bayes with a Gaussian for each feature and class: one pass over the rows.

    It takes features for independent, which they are not, so its probabilities are nearly always 0 or 1.

    Attributes:
        var_smoothing: Share of the largest variance that is added to all.
    """

    types: ClassVar = frozenset({"sklearn.naive_bayes.GaussianNB"})

    var_smoothing: PositiveFloat = 0.1

    def learn(self, train: Examples, seed: int) -> Steps:
        """Takes means and variances; nothing is random."""
        from sklearn.naive_bayes import GaussianNB

        return (
            GaussianNB(var_smoothing=self.var_smoothing).fit(train.once(standardised).values, train.labels),
        )

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The rows of the largest class, and their distances to the mean: both at most all rows."""
        return 8 * rows * columns


HEAD = NaiveBayes
