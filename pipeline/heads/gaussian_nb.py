"""Naive Bayes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.sklearn_head import SklearnHead, Steps
from pipeline.heads._sklearn.table import column_moments, scaled_blocks
from pipeline.options import PositiveFloat


@dataclass(frozen=True, kw_only=True)
class NaiveBayes(SklearnHead):
    """Naive Bayes with a Gaussian for each feature and class: rows pass by in blocks.

    It takes features for independent, which they are not, so its probabilities are nearly always 0 or 1.

    Attributes:
        var_smoothing: Share of the largest variance that is added to all.
    """

    types: ClassVar = frozenset({"sklearn.naive_bayes.GaussianNB"})

    var_smoothing: PositiveFloat = 0.1

    def learn(self, train: Examples, seed: int) -> Steps:
        """Takes means and variances; nothing is random.

        They are those of scikit-learn's own ``fit``, which copies the rows of a class twice.
        """
        from sklearn.naive_bayes import GaussianNB

        moments, counts = train.once(column_moments), np.bincount(train.labels)
        means = moments.class_means
        squares = np.zeros_like(means)
        for part, block in scaled_blocks(train):
            labels = train.labels[part]
            apart = np.square(block - means[labels].astype(np.float32))
            present, of_present = np.unique(labels, return_inverse=True)
            squares[present] += (of_present == np.arange(len(present))[:, None]).astype(np.float32) @ apart
        bayes = GaussianNB(var_smoothing=self.var_smoothing)
        spread = moments.variance / np.square(moments.scaler.scale_)
        bayes.epsilon_ = self.var_smoothing * spread.max()
        bayes.classes_, bayes.n_features_in_ = np.arange(len(counts)), len(spread)
        bayes.class_count_, bayes.class_prior_ = counts.astype(np.float64), counts / counts.sum()
        bayes.theta_, bayes.var_ = means, squares / counts[:, None] + bayes.epsilon_
        return (bayes,)

    def keeps_table(self, rows: int, columns: int) -> bool:
        """Tells that rows pass by in blocks."""
        return False

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Some blocks of rows, and two numbers a class and column, of which there are few."""
        return 400 * columns


HEAD = NaiveBayes
