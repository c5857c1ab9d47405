"""Figures of one set of predictions as plain values, the confusions of classes among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.reliability import ReliabilityBin


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares against all others.

    Attributes:
        name: The class.
        precision: Share of the rows predicted as this class that belong to it; 0 where none is.
        recall: Share of the rows of this class that are predicted as it; 0 where there are none.
        f1: Harmonic mean of precision and recall; 0 where both are.
        support: Rows that belong to the class.
        predicted: Rows that are predicted as the class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Figures:
    """All figures of one set of predictions.

    A class without a row in the truth has no recall, so it takes no part in the two means over
    classes; predicting it nevertheless costs the recall of the class the row belongs to.

    Attributes:
        n: Labelled rows; every figure is about these.
        unlabelled: Rows without a label, left out.
        accuracy: Share of rows whose most probable class is the true one.
        accuracy_ci: Lower and upper end of the 95 % Wilson interval of the accuracy.
        balanced_accuracy: Mean recall of the classes present in the truth.
        macro_f1: Mean F1 of the classes present in the truth.
        weighted_f1: Mean F1 of the classes, each counted by its rows in the truth.
        mcc: Matthews correlation coefficient of truth and prediction, -1 to 1; 0 where either is constant.
        kappa: Cohen's kappa, agreement beyond chance; 0 where both are one and the same class.
        top_k: Share of rows whose true class is among the k most probable, for k = 3 and 5 where there are
            more classes than that.
        log_loss: Mean negative natural logarithm of the true class's probability, in nats.
        brier: Squared errors of the probabilities, summed over classes, mean over rows: 0 to 2.
        roc_auc: Area under the ROC curve, each class against the rest, mean over the classes present; None
            where only one is.
        average_precision: Likewise for the precision-recall curve.
        ece: Expected calibration error over the bins of ``reliability``.
        reliability: The rows by confidence, in bins of equal mass; see ``reliability_bins``.
        intervals: Lower and upper end of the 95 % bootstrap interval by name of the figure; see
            ``bootstrap_intervals``. A figure that did not vary has none.
        per_class: The figures of each of the k classes.
        pairs: int64 (m, 3), true class, predicted class and rows of each pair that occurs.
    """

    n: int
    unlabelled: int
    accuracy: float
    accuracy_ci: tuple[float, float]
    balanced_accuracy: float
    macro_f1: float
    weighted_f1: float
    mcc: float
    kappa: float
    top_k: dict[int, float]
    log_loss: float
    brier: float
    roc_auc: float | None
    average_precision: float | None
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    intervals: dict[str, tuple[float, float]]
    per_class: tuple[ClassFigures, ...]
    pairs: np.ndarray

    @property
    def confusion(self) -> np.ndarray:
        """The confusion matrix, int64 (k, k): rows by true class (first axis) and predicted class."""
        return table_of(self.pairs, np.arange(len(self.per_class)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The k class names, indexed by label."""
        return tuple(figures.name for figures in self.per_class)

    @property
    def majority(self) -> ClassFigures:
        """The class with the most rows: always answering it is what knowing nothing would give."""
        return max(self.per_class, key=lambda one: one.support)

    @property
    def majority_accuracy(self) -> float:
        """Share of the rows that always answering the most frequent class has right."""
        return self.majority.support / self.n

    def worst(self, most: int) -> tuple[ClassFigures, ...]:
        """Returns all classes in order; of more than ``most``, those with the lowest F1."""
        if len(self.per_class) <= most:
            return self.per_class
        # Classes without rows have no F1 to be bad at; the larger of two equally bad ones costs more.
        order = sorted(self.per_class, key=lambda one: (one.support == 0, one.f1, -one.support))
        return tuple(order[:most])

    @property
    def not_found(self) -> tuple[ClassFigures, ...]:
        """Classes that have rows, none of which is right."""
        return tuple(one for one in self.per_class if one.support and not one.recall)

    @property
    def headline(self) -> str:
        """The accuracy with its interval and the number of rows it rests on, in words."""
        low, high = self.accuracy_ci
        return f"accuracy {self.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}), n = {self.n:,}"


def count_pairs(truth: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Counts rows by true and predicted class.

    Args:
        truth: int (n,), labels from 0 to k - 1.
        predicted: int (n,), likewise.
        k: Number of classes.

    Returns:
        int64 (m, 3): true class, predicted class and rows of each pair that occurs, in this order.
    """
    cells, rows = np.unique(truth.astype(np.int64) * k + predicted, return_counts=True)
    return np.column_stack([cells // k, cells % k, rows]).astype(np.int64)


def margins(pairs: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of each true class and of each predicted class, int64 (k,) both."""
    true, predicted = np.zeros(k, np.int64), np.zeros(k, np.int64)
    np.add.at(true, pairs[:, 0], pairs[:, 2])
    np.add.at(predicted, pairs[:, 1], pairs[:, 2])
    return true, predicted


def mistakes(pairs: np.ndarray) -> np.ndarray:
    """Returns the pairs of two different classes, the most frequent first, int64 (m, 3)."""
    wrong = pairs[pairs[:, 0] != pairs[:, 1]]
    return wrong[np.argsort(-wrong[:, 2], kind="stable")]


def most_confused(pairs: np.ndarray, k: int, most: int) -> np.ndarray:
    """Returns the classes of the worst mistakes, filled up with others, ascending int (at most ``most``,)."""
    involved = list(dict.fromkeys(mistakes(pairs)[:, :2].ravel().tolist()))[:most]
    taken = set(involved)
    others = (i for i in range(k) if i not in taken)
    return np.sort([*involved, *(i for i, _ in zip(others, range(most - len(involved)), strict=False))])


def table_of(pairs: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Returns the table of some classes, int64 (m, m), for ascending int (m,)."""
    inside = np.isin(pairs[:, 0], kept) & np.isin(pairs[:, 1], kept)
    true, predicted, rows = pairs[inside].T
    table = np.zeros((len(kept), len(kept)), np.int64)
    table[np.searchsorted(kept, true), np.searchsorted(kept, predicted)] = rows
    return table
