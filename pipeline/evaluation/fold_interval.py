"""The interval of a figure that was measured in folds."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.metrics import CONFIDENCE, wilson_interval

_OF_FOLDS = "t of the folds with Nadeau and Bengio's variance, no end nearer than"
SOURCE = f"{_OF_FOLDS} Wilson's of all rows"
DRAWN = f"{_OF_FOLDS} the bootstrap's of all images"


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
    reach = _reach(by_fold)
    low, high = wilson_interval(round(accuracy * units), units)
    return max(min(low, accuracy - reach), 0.0), min(max(high, accuracy + reach), 1.0)


def interval_around(
    by_fold: np.ndarray, value: float, drawn: tuple[float, float] | None, *, lowest: float
) -> tuple[float, float] | None:
    """Returns the 95 % interval of another figure, in the same way.

    The variance of Nadeau and Bengio is that of a mean over folds, whatever is measured in them. In the place
    of Wilson's interval is that of a bootstrap over all images.

    Args:
        by_fold: float (repeats, folds), the figure of each fold; NaN where it is not defined.
        value: The figure over all images.
        drawn: Its bootstrap interval; None where there is none.
        lowest: The least value that it can have; the greatest is 1.

    Returns:
        None where there is neither a bootstrap nor a second fold with the figure.
    """
    if np.isfinite(by_fold).sum() < 2:
        return drawn
    reach = _reach(by_fold)
    low, high = drawn or (value, value)
    return max(min(low, value - reach), lowest), min(max(high, value + reach), 1.0)


def _reach(by_fold: np.ndarray) -> float:
    """Returns how far the t interval of the folds reaches to each side."""
    from scipy.special import stdtrit

    defined = by_fold[np.isfinite(by_fold)]
    count, folds = defined.size, by_fold.shape[1]
    spread = float(defined.std(ddof=1)) * np.sqrt(1 / count + 1 / (folds - 1))
    return float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * spread
