"""Figures of one evaluation: pure functions of labels and probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation.figures import ClassFigures, Figures, count_pairs, margins
from pipeline.evaluation.reliability import calibration_error, reliability_bins
from pipeline.evaluation.resampling import bootstrap_intervals
from pipeline.images import UNLABELLED
from pipeline.wording import counted

# scikit-learn and scipy are imported where they are used: together they take a second to load, and
# a command line that only lists or prints stored reports does not need them.

CONFIDENCE = 0.95
"""Level of all intervals."""
TOP = (3, 5)


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
    mcc, kappa = agreement(truth, predicted)
    roc_auc, average_precision = ranking_scores(truth, scaled)
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
        top_k=top_accuracies(truth, scaled),
        log_loss=float(log_loss(truth, scaled, labels=every)),
        brier=brier(truth, scaled, labels=every),
        roc_auc=roc_auc,
        average_precision=average_precision,
        ece=calibration_error(bins),
        reliability=bins,
        intervals=bootstrap_intervals(
            truth,
            predicted,
            row_losses(truth, scaled),
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


def true_ranks(truth: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """Returns int (n,): how many classes stand before the true one when sorted by probability.

    Of equally probable classes the one listed first stands first, as for the predicted class itself.
    """
    own = np.take_along_axis(scaled, truth[:, None], axis=1)
    earlier = np.arange(scaled.shape[1]) < truth[:, None]
    return np.count_nonzero((scaled > own) | ((scaled == own) & earlier), axis=1)


def top_accuracies(truth: np.ndarray, scaled: np.ndarray) -> dict[int, float]:
    """Returns the share of rows whose true class is among the 3 and 5 most probable.

    A number that is not below the number of classes is left out: it would always be 1.
    """
    ranks = true_ranks(truth, scaled)
    return {top: float(np.mean(ranks < top)) for top in TOP if top < scaled.shape[1]}


def row_losses(truth: np.ndarray, scaled: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what each row adds to the figures that are means over rows, float (n,) each."""
    own = np.take_along_axis(scaled, truth[:, None], axis=1)[:, 0]
    squares = np.einsum("ij,ij->i", scaled, scaled)
    return {
        # scikit-learn clips in the same way: a probability of 0 must not cost infinitely much.
        "log_loss": -np.log(np.clip(own, np.finfo(float).eps, 1 - np.finfo(float).eps)),
        "brier": squares - 2 * own + 1,
    }


def agreement(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Returns the Matthews correlation coefficient and Cohen's kappa, both beyond what chance agrees on.

    Both are 0 where nothing but one class occurs, which is what scikit-learn takes the former for.
    """
    from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

    if len(np.union1d(truth, predicted)) < 2:
        return 0.0, 0.0
    return float(matthews_corrcoef(truth, predicted)), float(cohen_kappa_score(truth, predicted))


def brier(truth: np.ndarray, scaled: np.ndarray, *, labels: np.ndarray) -> float:
    """Returns the Brier score: squared errors of the probabilities, summed over classes, mean over rows.

    This is the original definition, from 0 to 2; for two classes it is twice the one that looks at one
    class only. Source: G. W. Brier, "Verification of forecasts expressed in terms of probability",
    Monthly Weather Review 78 (1950).
    """
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(truth, scaled, labels=labels, scale_by_half=False))


def ranking_scores(truth: np.ndarray, scaled: np.ndarray) -> tuple[float | None, float | None]:
    """Returns the area under the ROC curve and the average precision, one class against the rest.

    Both are means over the classes present in the truth; None where fewer than two are, because there is
    nothing to rank a class above.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    present = np.unique(truth)
    if len(present) < 2:
        return None, None
    pairs = [(truth == label, scaled[:, label]) for label in present]
    area = np.mean([roc_auc_score(*pair) for pair in pairs])
    precision = np.mean([average_precision_score(*pair) for pair in pairs])
    return float(area), float(precision)


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
