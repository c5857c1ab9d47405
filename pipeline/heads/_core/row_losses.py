"""Losses of single rows, of answers of any kind: what two heads are compared by, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.temperature import FLOOR
from pipeline.images.targets import CLASS, LABELS, NUMBER


def row_losses(kind: str, truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Returns what each row's answer costs: log-loss of classes and labels, squared error of numbers.

    Args:
        kind: What is answered.
        truth: int (n,), the classes; or (n, k), labels or numbers, at least one of each row known.
        answers: float (n, k), as ``TrainedHead.answer`` gives them.

    Returns:
        float (n,); of several labels the mean over those that are known, and of numbers, too, each error
        divided by the variance of that number in these rows.
    """
    return _LOSSES[kind](truth, answers)


def log_shares(kind: str, truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Returns the logarithm of the probability that was given to what is right.

    Args:
        kind: ``CLASS`` or ``LABELS``.
        truth: As for :func:`row_losses`.
        answers: float (n, k).

    Returns:
        float (n,) of classes; float64 (n, k) of labels, where those of unknown ones mean nothing.
    """
    if kind == CLASS:
        of_truth = answers[np.arange(len(truth)), truth]
    else:
        sure = answers.astype(np.float64)
        of_truth = np.where(truth == 1, sure, 1 - sure)
    return np.asarray(np.log(np.maximum(of_truth, FLOOR)))


def _of_classes(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return -log_shares(CLASS, labels, answers)


def _of_labels(truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return _mean_of_known(truth, -log_shares(LABELS, truth, answers))


def _of_numbers(truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    errors = np.square(answers.astype(np.float64) - truth)
    return _mean_of_known(truth, errors / np.square(NumberScale.of(truth).spread))


def _mean_of_known(truth: np.ndarray, losses: np.ndarray) -> np.ndarray:
    known = ~np.isnan(truth)
    return np.asarray(np.where(known, losses, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


_LOSSES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    CLASS: _of_classes,
    LABELS: _of_labels,
    NUMBER: _of_numbers,
}
