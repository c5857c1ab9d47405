"""Prediction intervals: how far the true value may be from an answer, by errors on images of val."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.conformal import covering_place

COVERAGE = 0.9
"""Share of true values that prediction intervals are to hold."""


@dataclass(frozen=True)
class PredictionInterval:
    """How far the true value may be from an answer.

    Source: G. Shafer and V. Vovk, "A tutorial on conformal prediction", JMLR 9, 2008 (split conformal).

    Attributes:
        coverage: Share of new images whose true value is within it, on average over sets like val.
        half_width: How far; of val images that many answers were no further off.
        val_rows: Val images that told it.
        covered: Share of these images that it held; None where that is not measured.
    """

    coverage: float
    half_width: float
    val_rows: int
    covered: float | None


def prediction_interval(residuals: np.ndarray, errors: np.ndarray | None) -> PredictionInterval | None:
    """Returns the interval that errors on val tell; None where val has too few images for one.

    Args:
        residuals: Absolute errors on val, float (m,).
        errors: Absolute errors on other images, on which its coverage is measured, float (n,); None = it is
            not measured.
    """
    width = covering_width(residuals, COVERAGE)
    if width is None:
        return None
    covered = None if errors is None or not len(errors) else float(np.mean(errors <= width))
    return PredictionInterval(COVERAGE, width, len(residuals), covered)


def covering_width(errors: np.ndarray, coverage: float) -> float | None:
    """Returns how far a new answer is off at most, so often; None where these are too few to tell.

    Args:
        errors: Absolute errors on val, float (m,).
        coverage: Between 0 and 1.
    """
    place = covering_place(len(errors), coverage)
    return None if place > len(errors) else float(np.partition(errors, place - 1)[place - 1])
