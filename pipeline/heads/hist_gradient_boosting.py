"""Gradient boosting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.sklearn_head import TREE_TYPES, SklearnHead, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.threads import single_thread
from pipeline.options import Count, PositiveFloat


@dataclass(frozen=True, kw_only=True)
class HistGradientBoosting(SklearnHead):
    """Gradient boosting of small trees on the first principal components of the features.

    On all of 32,000 features five rounds took two minutes, so it looks at directions instead, where trees
    also do better than on single channels.

    Attributes:
        components: Number of principal components; fewer where there are fewer rows or features.
        rounds: Number of trees a class.
        learning_rate: What a tree adds to those before it.
        max_leaf_nodes: Most leaves of a tree.
        min_samples_leaf: Fewest rows in a leaf.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = TREE_TYPES | {"sklearn.decomposition._truncated_svd.TruncatedSVD"}

    components: Count = 64
    rounds: Count = 100
    learning_rate: PositiveFloat = 0.1
    max_leaf_nodes: Count = 15
    min_samples_leaf: Count = 10
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Finds the components, by random projection, and boosts; the seed serves both."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.ensemble import HistGradientBoostingClassifier

        from pipeline.heads._sklearn.trees import from_boosting

        values = train.once(standardised).values
        # The table is centred, so its singular vectors are the principal components.
        projection = TruncatedSVD(min(self.components, *values.shape), random_state=seed)
        boosting = HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=self.rounds,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=self.min_samples_leaf,
            class_weight=self.class_weight,
            early_stopping=False,
            random_state=seed,
        )
        with np.errstate(invalid="ignore"):  # the share of a variance of zero, which nobody asks for
            components = projection.fit_transform(values)
        # Rounds of a millisecond each: up to half a million rows, threads wait more than they work.
        with single_thread(components.nbytes * 8):
            boosting.fit(components, train.labels)
        return projection, from_boosting(boosting)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The projection works on a few times the components of either side."""
        return 16 * (self.components + 10) * (rows + columns)

    def class_bytes(self, classes: int) -> int:
        """A tree a class and round, of three nodes at least with a number for every class."""
        return 24 * classes**2 * self.rounds if classes > 2 else 0


HEAD = HistGradientBoosting
