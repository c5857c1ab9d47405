"""What is known about one set of predictions, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.confusion import table_of
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

    @property
    def not_found(self) -> tuple[ClassFigures, ...]:
        """Classes that have rows, none of which is right."""
        return tuple(one for one in self.per_class if one.support and not one.recall)

    @property
    def headline(self) -> str:
        """The accuracy with its interval and the number of rows it rests on, in words."""
        low, high = self.accuracy_ci
        return f"accuracy {self.accuracy:.2%} (95% interval {low:.2%} to {high:.2%}), n = {self.n:,}"
