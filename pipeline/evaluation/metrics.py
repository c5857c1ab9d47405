"""Figures of one evaluation: pure functions of labels, probabilities and class names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation import figures
from pipeline.evaluation.figures import ClassFigures, Figures, count_pairs, margins
from pipeline.evaluation.reliability import ReliabilityBin, calibration_error, reliability_bins
from pipeline.evaluation.resampling import bootstrap_intervals
from pipeline.images import UNLABELLED
from pipeline.wording import counted

# scikit-learn and scipy are imported where they are used: together they take a second to load, and
# a command line that only lists or prints stored reports does not need them.

__all__ = ["ClassFigures", "Figures", "ReliabilityBin", "measure", "wilson_interval"]

CONFIDENCE = 0.95
"""Level of all intervals."""


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    groups: np.ndarray | None = None,
) -> Figures:
    """Computes all figures of a set of predictions.

    Probabilities are taken in float64 and scaled to a sum of exactly one a row, because rounding in
    float32 alone would show in the log-loss; a probability of 0 counts as 2.2e-16 there.

    Args:
        labels: int (n,), index into ``classes``; -1 = unlabelled, such rows are only counted.
        probabilities: float (n, k), one row of non-negative numbers an image.
        classes: k class names.
        groups: (n,), what the rows belong to (a patient, a product): their errors go together, so the
            bootstrap draws whole groups. None = every row on its own.

    Raises:
        UsageError: No row has a label, or there are fewer than two classes.
        PipelineError: A row of probabilities is none (NaN, infinite, negative or all zero).
        ValueError: The shapes do not belong together, or a label is no class.
    """
    from sklearn.metrics import log_loss, precision_recall_fscore_support

    every = np.arange(len(classes))
    _check(labels, probabilities, len(classes))
    known = labels != UNLABELLED
    truth, given = labels[known], probabilities[known]
    scaled = _scaled(given)
    predicted = given.argmax(axis=1)

    # Counts are counted here: those of scikit-learn are floats where no row is right.
    pairs = count_pairs(truth, predicted, len(classes))
    support, guessed = margins(pairs, len(classes))
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    present = support > 0
    correct = int(np.count_nonzero(truth == predicted))
    columns = (precision, recall, f1, support, guessed)
    bins = reliability_bins(scaled[np.arange(len(truth)), predicted], truth == predicted)
    mcc, kappa = figures.agreement(truth, predicted)
    roc_auc, average_precision = figures.ranking_scores(truth, scaled)
    return Figures(
        n=len(truth),
        unlabelled=len(labels) - len(truth),
        accuracy=correct / len(truth),
        accuracy_ci=wilson_interval(correct, len(truth)),
        balanced_accuracy=float(recall[present].mean()),
        macro_f1=float(f1[present].mean()),
        weighted_f1=float(np.average(f1, weights=support)),
        mcc=mcc,
        kappa=kappa,
        top_k=figures.top_accuracies(truth, scaled),
        log_loss=float(log_loss(truth, scaled, labels=every)),
        brier=figures.brier(truth, scaled, labels=every),
        roc_auc=roc_auc,
        average_precision=average_precision,
        ece=calibration_error(bins),
        reliability=bins,
        intervals=bootstrap_intervals(
            truth,
            predicted,
            figures.row_losses(truth, scaled),
            k=len(classes),
            groups=None if groups is None else np.asarray(groups)[known],
            level=CONFIDENCE,
        ),
        per_class=tuple(
            ClassFigures(*row) for row in zip(classes, *(column.tolist() for column in columns), strict=True)
        ),
        pairs=pairs,
    )


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Returns the 95 % score interval of a share.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). Unlike the normal approximation it stays inside [0, 1] and keeps a width at
    shares of 0 and 1, which good heads on small splits do reach.

    Args:
        correct: Rows that are right, 0 to ``n``.
        n: All rows, at least 1.
    """
    from scipy.stats import binomtest

    interval = binomtest(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _check(labels: np.ndarray, probabilities: np.ndarray, k: int) -> None:
    if probabilities.shape != (len(labels), k):
        wanted = f"{counted(len(labels), 'label')} of {counted(k, 'class')}"
        raise ValueError(f"{probabilities.shape} probabilities for {wanted}")
    if k < 2:
        raise UsageError(f"{k} class: figures need at least two classes to tell apart")
    if not (labels != UNLABELLED).any():
        raise UsageError(
            f"none of the {counted(len(labels), 'row')} has a label, and figures need the truth: "
            "evaluate a split with labels, or label the source and run `pipeline extract` again"
        )
    if labels.min() < UNLABELLED or labels.max() >= k:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} for {counted(k, 'class')}")


def _scaled(probabilities: np.ndarray) -> np.ndarray:
    """Returns float64 (n, k) whose rows sum to one."""
    wide = probabilities.astype(np.float64)
    sums = wide.sum(axis=1)
    broken = ~(np.isfinite(sums) & (sums > 0) & (wide >= 0).all(axis=1))
    if broken.any():
        raise PipelineError(
            f"the head gave no probabilities for {broken.sum():,} of {counted(len(wide), 'row')} (NaN, "
            "infinite, negative or all zero): its training diverged. Run `pipeline train-head` again"
        )
    return wide / sums[:, None]
