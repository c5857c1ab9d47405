"""The interval of an accuracy that folds were measured with."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.metrics import CONFIDENCE, wilson_interval

SOURCE = "t of the folds with Nadeau and Bengio's variance, no end nearer than Wilson's of all rows"


def fold_interval(by_fold: np.ndarray, accuracy: float, units: int) -> tuple[float, float]:
    """Returns the 95 % interval of an accuracy that was measured in folds, once or several times over.

    Heads of different folds share most of their training rows, so the variance of the mean is more than that
    of a fold divided by their number: by the share of rows that are tested to those that are learnt from.
    Sources: C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003); for
    repeated folds R. Bouckaert, E. Frank, PAKDD 2004. Folds that happen to agree would give too narrow an
    interval, or none: no end is nearer than that of the Wilson interval of one look at all rows.

    Args:
        by_fold: float (repeats, folds), the accuracy of each of 2 folds or more.
        accuracy: Share of right answers over all rows and repeats.
        units: Rows, or groups of rows that belong together.
    """
    from scipy.special import stdtrit

    count, folds = by_fold.size, by_fold.shape[1]
    spread = float(by_fold.std(ddof=1)) * np.sqrt(1 / count + 1 / (folds - 1))
    reach = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * spread
    low, high = wilson_interval(round(accuracy * units), units)
    return max(min(low, accuracy - reach), 0.0), min(max(high, accuracy + reach), 1.0)
