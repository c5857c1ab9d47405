"""Trees as plain arrays: what the tree heads save.

The compiled trees of scikit-learn follow child and feature numbers without looking whether they exist, so a
crafted file could crash the process. NumPy looks, and trees as arrays are data like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.probabilities import softmax

if TYPE_CHECKING:
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree


class Nodes(NamedTuple):
    """The k nodes of one tree, its root first; a leaf is its own child on both sides."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


@dataclass(eq=False)
class Trees:
    """A sum of trees: each row falls to one leaf of each tree, and the values of the leaves are added.

    Attributes:
        feature_: int32 (k,), the column that a node looks at.
        threshold_: float64 (k,), up to which a row goes left.
        left_: int32 (k,), the next node on that side.
        right_: int32 (k,), the next node on the other side.
        value_: float64 (k, m), what a leaf adds.
        roots_: int32 (t,), the first node of each tree.
        baseline_: float64 (m,), what the sum starts from.
        logits_: Whether the sum is one of logits, or of probabilities.
        classes_: int (m,), 0..m-1; of numbers their positions.
    """

    feature_: np.ndarray
    threshold_: np.ndarray
    left_: np.ndarray
    right_: np.ndarray
    value_: np.ndarray
    roots_: np.ndarray
    baseline_: np.ndarray
    logits_: bool
    classes_: np.ndarray

    @classmethod
    def of(cls, trees: Sequence[Nodes], baseline: np.ndarray, *, logits: bool) -> Trees:
        """Makes one from its trees."""
        roots = np.cumsum([0, *(len(tree.feature) for tree in trees)])[:-1].astype(np.int32)

        def from_all(name: str, dtype: type) -> np.ndarray:
            return np.concatenate([getattr(tree, name) for tree in trees]).astype(dtype)

        def children(name: str) -> np.ndarray:
            shifted = [getattr(tree, name) + root for tree, root in zip(trees, roots, strict=True)]
            return np.concatenate(shifted).astype(np.int32)

        return cls(
            feature_=from_all("feature", np.int32),
            threshold_=from_all("threshold", np.float64),
            left_=children("left"),
            right_=children("right"),
            value_=np.concatenate([tree.value for tree in trees]),
            roots_=roots,
            baseline_=baseline,
            logits_=logits,
            classes_=np.arange(len(baseline)),
        )

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float64 (n, m)."""
        total = self.predict_targets(table)
        return softmax(total) if self.logits_ else total

    def predict_targets(self, table: np.ndarray) -> np.ndarray:
        """Returns the sums of a table (n, d), float64 (n, m): where trees answer with numbers, these."""
        rows = np.arange(len(table))[:, None]
        at = np.broadcast_to(self.roots_, (len(table), len(self.roots_)))
        # No path is longer than the nodes are many, whatever a file says.
        for _ in range(len(self.feature_)):
            goes_left = table[rows, self.feature_[at]] <= self.threshold_[at]
            below = np.where(goes_left, self.left_[at], self.right_[at])
            if np.array_equal(below, at):
                break
            at = below
        return self.baseline_ + self.value_[at].sum(axis=1)


def from_forest(forest: RandomForestClassifier) -> Trees:
    """Takes the trees out of a forest, whose answer is the mean of theirs."""
    trees = [
        _nodes_of_tree(tree, tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True) / len(forest))
        for tree in (estimator.tree_ for estimator in forest)
    ]
    return Trees.of(trees, np.zeros(len(forest.classes_)), logits=False)


def from_boosting(boosting: HistGradientBoostingClassifier) -> Trees:
    """Takes the trees out of a boosting; with two classes all of them speak for the second."""
    classes = len(boosting.classes_)
    # There is no public way to its trees; a test holds the answers against its own.
    start = np.ravel(boosting._baseline_prediction)
    trees = [
        _nodes_of_predictor(predictor, label, classes)
        for predictors in boosting._predictors
        for label, predictor in enumerate(predictors, start=classes - len(start))
    ]
    baseline = start if len(start) == classes else np.array([0, *start])
    return Trees.of(trees, baseline.astype(np.float64), logits=True)


def of_numbers(
    machines: Mapping[int, RandomForestRegressor | HistGradientBoostingRegressor], scale: NumberScale
) -> Trees:
    """Takes the trees out of a machine for each number, by its position: they speak for this number alone.

    Args:
        machines: Fitted on scaled numbers, whose answers get their own units.
        scale: Of all numbers.
    """
    baseline = scale.mean.copy()
    trees: list[Nodes] = []
    for number, machine in machines.items():
        own = np.zeros(len(baseline))
        own[number] = scale.spread[number]
        if hasattr(machine, "_predictors"):
            baseline += own * np.ravel(machine._baseline_prediction)
            grown = [_nodes_of_predictor(only, 0, 1) for (only,) in machine._predictors]
        else:
            grown = [_nodes_of_tree(one.tree_, one.tree_.value[:, 0] / len(machine)) for one in machine]
        trees += [nodes._replace(value=nodes.value * own) for nodes in grown]
    return Trees.of(trees, baseline, logits=False)


def _nodes_of_tree(tree: Tree, value: np.ndarray) -> Nodes:
    """Takes the nodes of a tree of a forest, whose leaves add rows of ``value`` (k, m)."""
    left, right = tree.children_left, tree.children_right
    return _nodes(left == -1, tree.feature, tree.threshold, left, right, value)


def _nodes_of_predictor(predictor: TreePredictor, column: int, columns: int) -> Nodes:
    """Takes the nodes of a tree of a boosting, whose leaves add to one of some columns."""
    nodes = predictor.nodes
    value = np.zeros((len(nodes), columns))
    value[:, column] = nodes["value"]
    return _nodes(
        nodes["is_leaf"].astype(bool),
        nodes["feature_idx"],
        nodes["num_threshold"],
        nodes["left"].astype(np.int64),
        nodes["right"].astype(np.int64),
        value,
    )


def _nodes(
    leaf: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> Nodes:
    own = np.arange(len(leaf))
    inner = np.where(leaf[:, None], value, 0)
    return Nodes(
        np.where(leaf, 0, feature),
        np.where(leaf, 0, threshold),
        np.where(leaf, own, left),
        np.where(leaf, own, right),
        inner,
    )
