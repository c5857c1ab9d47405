"""Gradient boosting."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._sklearn.number_head import NumberHead
from pipeline.heads._sklearn.sklearn_head import TREE_TYPES, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.threads import single_thread
from pipeline.options import Count, PositiveFloat

if TYPE_CHECKING:
    from sklearn.decomposition import TruncatedSVD


@dataclass(frozen=True, kw_only=True)
class HistGradientBoosting(NumberHead):
    """Gradient boosting of small trees on the first principal components of the features.

    On all of 32,000 features five rounds took two minutes, so it looks at directions instead, where trees
    also do better than on single channels. Towards numbers it boosts by squared errors.

    Attributes:
        components: Number of principal components; fewer where there are fewer rows or features.
        rounds: Number of trees a class.
        learning_rate: What a tree adds to those before it.
        max_leaf_nodes: Most leaves of a tree.
        min_samples_leaf: Fewest rows in a leaf.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = TREE_TYPES | {"sklearn.decomposition._truncated_svd.TruncatedSVD"}
    number_types: ClassVar = types

    components: Count = 64
    rounds: Count = 100
    learning_rate: PositiveFloat = 0.1
    max_leaf_nodes: Count = 15
    min_samples_leaf: Count = 10
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Finds the components, by random projection, and boosts; the seed serves both."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        from pipeline.heads._sklearn.trees import from_boosting

        boosting = HistGradientBoostingClassifier(**self._growth(seed), class_weight=self.class_weight)
        projection, components = self._projected(train, seed)
        with _one_thread(components):
            boosting.fit(components, train.labels)
        return projection, from_boosting(boosting)

    def learn_numbers(self, train: Examples, scale: NumberScale, seed: int) -> Steps:
        """Finds the components once, and boosts towards each number."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        from pipeline.heads._sklearn.trees import of_numbers

        machines = {}
        projection, components = self._projected(train, seed)
        for number, rows, wanted in scale.known_parts(train.targets):
            machines[number] = HistGradientBoostingRegressor(**self._growth(seed))
            with _one_thread(components):
                machines[number].fit(components[rows], wanted)
        return projection, of_numbers(machines, scale)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The projection works on a few times the components of either side."""
        return 16 * (self.components + 10) * (rows + columns)

    def class_bytes(self, classes: int) -> int:
        """A tree a class and round, of three nodes at least with a number for every class."""
        return 24 * classes**2 * self.rounds if classes > 2 else 0

    def _growth(self, seed: int) -> dict[str, Any]:
        """Returns what any boosting is told of how to grow."""
        return {
            "learning_rate": self.learning_rate,
            "max_iter": self.rounds,
            "max_leaf_nodes": self.max_leaf_nodes,
            "min_samples_leaf": self.min_samples_leaf,
            "early_stopping": False,
            "random_state": seed,
        }

    def _projected(self, train: Examples, seed: int) -> tuple[TruncatedSVD, np.ndarray]:
        """Returns the projection to the components, and the training rows in them, float (n, c)."""
        from sklearn.decomposition import TruncatedSVD

        values = train.once(standardised).values
        # The table is centred, so its singular vectors are the principal components.
        projection = TruncatedSVD(min(self.components, *values.shape), random_state=seed)
        with np.errstate(invalid="ignore"):  # the share of a variance of zero, which nobody asks for
            return projection, projection.fit_transform(values)


def _one_thread(components: np.ndarray) -> AbstractContextManager[None]:
    """Keeps the rounds to one thread, up to half a million rows.

    They take a millisecond each, so that threads would wait more than they work.
    """
    return single_thread(components.nbytes * 8)


HEAD = HistGradientBoosting
