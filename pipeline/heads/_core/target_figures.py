"""What heads are chosen by: the figure of each kind, and the thresholds of labels, from answers to val."""

from __future__ import annotations

import numpy as np

from pipeline.heads._core.row_losses import log_shares
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.wording import in_its_unit

ACCURACY = "accuracy"
FIGURES = {CLASS: ACCURACY, LABELS: "map", NUMBER: "r2"}
"""What heads of each kind are chosen by; more is better."""
IN_WORDS = {ACCURACY: "accuracy", "map": "mean average precision", "r2": "R2"}
IN_A_UNIT = ("mae", "rmse")
"""Figures that are in the unit of a number; the others have none."""
LOSSES = {CLASS: "log_loss", LABELS: "log_loss", NUMBER: "mae"}
"""What decides between heads of the same score, less is better: mean log-loss, of all labels that are known,
or mean absolute error, the mean over the numbers."""
EVEN = 0.5
"""Threshold of a label that val says nothing of."""


def figure_text(name: str, value: float) -> str:
    """Writes a figure by its name: where it has a unit, of grams and of tons alike."""
    return in_its_unit(value) if name.lower() in IN_A_UNIT else f"{value:.4f}"


def score(kind: str, truth: np.ndarray, answers: np.ndarray) -> float:
    """Returns the figure of ``FIGURES`` that answers of a kind come to.

    Args:
        kind: What is answered.
        truth: int (n,), the classes; or (n, k), labels or numbers, NaN where one is unknown.
        answers: float (n, k), as ``TrainedHead.answer`` gives them.
    """
    if kind == CLASS:
        return float(np.mean(answers.argmax(axis=1) == truth))
    return mean_average_precision(truth, answers) if kind == LABELS else r2(truth, answers)


def loss(kind: str, truth: np.ndarray, answers: np.ndarray) -> float:
    """Returns what decides between heads of the same score, the less the better; see ``LOSSES``.

    Args:
        kind: What is answered.
        truth: As for :func:`score`.
        answers: As for :func:`score`.
    """
    if kind != NUMBER:
        shares = log_shares(kind, truth, answers)
        return -float((shares if kind == CLASS else shares[~np.isnan(truth)]).mean())
    away, known = np.abs(truth.astype(np.float64) - answers), ~np.isnan(truth)
    return float(
        np.mean([column[there].mean() for column, there in zip(away.T, known.T, strict=True) if there.any()])
    )


def mean_average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """Returns the mean average precision over the labels that some rows have and some have not; else 0.

    Args:
        truth: (n, k), 1, 0, or NaN where a label is unknown.
        scores: float (n, k).
    """
    found = []
    for column, score in zip(truth.T, scores.T, strict=True):
        known = ~np.isnan(column)
        if 0 < column[known].sum() < known.sum():
            precision, gained, _ = _curve(column[known], score[known])
            found.append(float((precision * gained).sum()))
    return float(np.mean(found)) if found else 0.0


def best_thresholds(truth: np.ndarray, scores: np.ndarray) -> tuple[float, ...]:
    """Returns for each label the probability from which answering it gives the highest F1.

    It lies halfway between the last score that is answered and the next one.
    """
    found = []
    for column, score in zip(truth.T, scores.T, strict=True):
        known = ~np.isnan(column)
        if not 0 < column[known].sum() < known.sum():
            found.append(EVEN)
            continue
        precision, gained, steps = _curve(column[known], score[known])
        recall = gained.cumsum()
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = int(f1.argmax())
        below = steps[best + 1] if best + 1 < len(steps) else 0.0
        found.append(float((steps[best] + below) / 2))
    return tuple(found)


def r2(truth: np.ndarray, answers: np.ndarray) -> float:
    """Returns the mean coefficient of determination over the numbers of which two values differ; else 0.

    Args:
        truth: (n, k), NaN where a number is unknown.
        answers: float (n, k).
    """
    found = []
    for column, answer in zip(truth.T.astype(np.float64), answers.T, strict=True):
        known = ~np.isnan(column)
        if len(np.unique(column[known])) > 1:
            spread = np.square(column[known] - column[known].mean()).sum()
            found.append(1 - np.square(column[known] - answer[known]).sum() / spread)
    return float(np.mean(found)) if found else 0.0


def _curve(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns precision, gained recall, and score, at each different score from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order].cumsum()
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    right = hits[last]
    return right / (last + 1), np.diff(right, prepend=0) / hits[-1], ranked[last]
