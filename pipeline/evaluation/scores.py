"""Single figures of labels and probabilities, each a pure function; scikit-learn does the mathematics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOP = (3, 5)


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


def brier(truth: np.ndarray, scaled: np.ndarray, *, labels: Sequence[int]) -> float:
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
