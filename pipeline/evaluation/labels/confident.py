"""Confident learning: which labels an honest answer contradicts by more than its class usually allows.

Source: C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels",
Journal of Artificial Intelligence Research 70 (2021).
"""

from __future__ import annotations

import numpy as np

SURE_SHARE = 0.25
"""Share of all pairs of a row and a wrong class that tells how often labels are wrong: the least probable."""


def class_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns how sure answers are of each class on rows that bear its label, float (k,); inf without any."""
    count = np.bincount(labels, minlength=probabilities.shape[1])
    own = probabilities[np.arange(len(labels)), labels]
    total = np.bincount(labels, weights=own, minlength=len(count))
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def confident_classes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the class that each row is counted for, int (n,): the given one where none is confident.

    A row is counted for the most probable of the classes whose probability reaches the threshold of the
    class, the mean over rows with that label (equations 1 and 2 of the source).

    Args:
        probabilities: float (n, k), answers of heads that have not seen the row.
        labels: int (n,), 0..k-1.
    """
    reached = probabilities >= class_thresholds(probabilities, labels)
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), best, labels)


def margins(probabilities: np.ndarray, labels: np.ndarray, suggested: np.ndarray) -> np.ndarray:
    """Returns by how much another class is more probable than the given one, float (n,), -1 to 1."""
    each = np.arange(len(labels))
    return probabilities[each, suggested] - probabilities[each, labels]


def error_probabilities(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Estimates how likely each label is wrong, float (n,), whatever the features are worth.

    Weak features contradict many right labels. How often labels bear a class that answers all but rule out is
    the rate of errors; a class whose calibrated probability is hardly above this rate stands there mostly by
    error, as the rate divided by the probability says (Bayes, with errors that do not look at the image).
    Probabilities are calibrated by isotonic regression over all pairs of a row and a class: B. Zadrozny, C.
    Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002.

    Args:
        probabilities: float (n, k), answers of heads that have not seen the row.
        labels: int (n,), 0..k-1.
    """
    from sklearn.isotonic import IsotonicRegression

    given, sure = _given_and_surest(probabilities, labels)
    calibrated = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    calibrated.fit(probabilities.ravel(), given.ravel().astype(float))
    rate = (given.ravel()[sure].sum() + 1) / (len(sure) + 2)  # Laplace: a few rows prove no rate of 0
    own = calibrated.predict(probabilities[np.arange(len(labels)), labels])
    return np.minimum(rate / np.maximum(own, rate), 1.0)


def answers_tell(probabilities: np.ndarray, labels: np.ndarray) -> bool:
    """Says whether answers tell who bears one of two classes, so that they can contradict a label at all.

    The rate of errors is that of labels which answers all but rule out (:func:`error_probabilities`). Where
    it is near the share of the rarer class among all, these are no errors: the answers know nothing. Half of
    that share is the most that is believed.

    Args:
        probabilities: float (n, 2), answers of heads that have not seen the row.
        labels: int (n,), 0 or 1.
    """
    given, sure = _given_and_surest(probabilities, labels)
    return bool(given.ravel()[sure].mean() <= np.bincount(labels, minlength=2).min() / len(labels) / 2)


def _given_and_surest(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which class each row is given, bool (n, k), and the least probable pairs, as places in that."""
    n, k = probabilities.shape
    sure = np.argsort(probabilities, axis=None, kind="stable")[: max(int(SURE_SHARE * n * (k - 1)), 1)]
    return np.arange(k) == labels[:, None], sure
