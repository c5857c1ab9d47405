"""Random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pipeline.heads._core.class_balance import Balanced
from pipeline.heads._core.examples import Examples
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._sklearn.number_head import NumberHead
from pipeline.heads._sklearn.sklearn_head import TREE_TYPES, Steps
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.threads import worker_threads
from pipeline.options import Check, Count

Share = Annotated[float, Check("above 0 and at most 1", lambda value: 0 < value <= 1)]


@dataclass(frozen=True, kw_only=True)
class RandomForest(NumberHead):
    """Random forest: many deep trees, each on a sample of the rows and of the features.

    A number is the mean of what the trees of its own forest answer.

    Attributes:
        trees: Number of trees.
        max_features: Share of the features that a split looks at; none: their square root in number.
        min_samples_leaf: Fewest rows in a leaf.
        class_weight: ``balanced``: each class counts the same, however few rows it has.
    """

    types: ClassVar = TREE_TYPES
    number_types: ClassVar = TREE_TYPES

    trees: Count = 100
    max_features: Share | None = None
    min_samples_leaf: Count = 1
    class_weight: Balanced | None = None

    def learn(self, train: Examples, seed: int) -> Steps:
        """Grows the trees in threads; each has a seed of its own, so their number changes nothing."""
        from sklearn.ensemble import RandomForestClassifier

        from pipeline.heads._sklearn.trees import from_forest

        forest = RandomForestClassifier(**self._growth(seed), class_weight=self.class_weight)
        return (from_forest(forest.fit(train.once(standardised).values, train.labels)),)

    def learn_numbers(self, train: Examples, scale: NumberScale, seed: int) -> Steps:
        """Grows a forest for each number."""
        from sklearn.ensemble import RandomForestRegressor

        from pipeline.heads._sklearn.trees import of_numbers

        values = train.once(standardised).values
        forests = {
            number: RandomForestRegressor(**self._growth(seed)).fit(values[rows], wanted)
            for number, rows, wanted in scale.known_parts(train.targets)
        }
        return (of_numbers(forests, scale),)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """Two nodes a row and tree at most, with a hundred bytes each here and in the copy that is saved."""
        return 400 * rows * self.trees

    def class_bytes(self, classes: int) -> int:
        """Each class has a leaf in each tree, and each of the nodes a number for every class, kept twice."""
        return 32 * classes**2 * self.trees

    def _growth(self, seed: int) -> dict[str, Any]:
        """Returns what any forest is told of how to grow."""
        return {
            "n_estimators": self.trees,
            "max_features": self.max_features or "sqrt",
            "min_samples_leaf": self.min_samples_leaf,
            "n_jobs": worker_threads(),
            "random_state": seed,
        }


HEAD = RandomForest
