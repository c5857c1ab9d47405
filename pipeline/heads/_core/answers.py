"""What a model answers, checked: a saved one can hold anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.images.targets import LABELS, described

T = TypeVar("T")


def guarded(answer: Callable[[T], np.ndarray], rows: T, *, head: str, folder: Path | None) -> np.ndarray:
    """Returns what a model answers to rows.

    Args:
        answer: A method of the model.
        rows: What it takes.
        head: Name of its head.
        folder: Where it was read from; None where it was just trained.

    Raises:
        CacheMismatchError: What was read cannot answer.
    """
    try:
        with np.errstate(all="ignore"):
            return np.asarray(answer(rows))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if folder is None:
            raise
        raise CacheMismatchError(
            f"{folder}: the saved head cannot answer ({str(error).partition(chr(10))[0]}). "
            f"`pipeline train-head --head {head}` trains it again"
        ) from error


def sound_probabilities(proba: np.ndarray, shape: tuple[int, int], *, head: str) -> np.ndarray:
    """Returns probabilities, float (n, m), as they are.

    Args:
        proba: What a model answered.
        shape: Rows n and classes m.
        head: Name of its head.

    Raises:
        PipelineError: They are no probabilities.
    """
    sound = proba.shape == shape and np.isfinite(proba).all() and (proba >= 0).all()
    if not sound or not (proba.sum(axis=1) > 0).all():
        raise PipelineError(
            f"head {head!r} answers with numbers that are no probabilities: train it again, "
            "with other options or on other features"
        )
    return proba


def sound_targets(answers: np.ndarray, shape: tuple[int, int], target: str, *, head: str) -> np.ndarray:
    """Returns labels or numbers as float64 (n, k).

    Args:
        answers: What a model answered.
        shape: Rows n and targets k.
        target: Their kind.
        head: Name of its head.

    Raises:
        PipelineError: One is no number, or no probability of a label.
    """
    wide = np.asarray(answers, np.float64)
    sound = wide.shape == shape and bool(np.isfinite(wide).all())
    if sound and target == LABELS:
        sound = bool(((wide >= 0) & (wide <= 1)).all())
    if not sound:
        raise PipelineError(
            f"head {head!r} answers with what is no {described(target)}: train it again, "
            "with other options or on other features"
        )
    return wide


def learnt_classes(class_counts: tuple[int, ...]) -> np.ndarray:
    """Returns the labels that have training rows, ascending int (m,): those of a model's m columns."""
    return np.flatnonzero(class_counts)
