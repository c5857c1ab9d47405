"""Temperature scaling: one number that makes a head as sure of itself as it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.metrics import Figures
from pipeline.images import UNLABELLED

COLDEST, HOTTEST = 0.02, 50.0
FLOOR = np.finfo(np.float64).eps
"""What a probability of 0 counts as, here as in the log-loss: no temperature could raise a true 0."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """A temperature, and the figures without it.

    Attributes:
        temperature: What logits are divided by: above 1 the head was too sure, below 1 not sure enough.
        rows: Labelled rows of val that it was fitted on.
        before: All figures of the evaluated split as the head itself answers.
    """

    temperature: float
    rows: int
    before: Figures

    def to_json(self, after: Figures) -> dict[str, Any]:
        """Returns the temperature with the figures that it changes, before and after."""
        names = ("log_loss", "brier", "ece")
        return {
            "temperature": self.temperature,
            "fitted_on": "val",
            "rows": self.rows,
            "before": {name: getattr(self.before, name) for name in names},
            "after": {name: getattr(after, name) for name in names},
        }


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Finds the temperature with the lowest log-loss, from 0.02 to 50.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2. The logarithm of
    a probability is a logit up to a number that is the same for the whole row, so heads without logits can
    be calibrated as well.

    Args:
        labels: int (n,), index of the true class; -1 = unlabelled, such rows are left out.
        probabilities: float (n, k), rows sum to 1.

    Raises:
        UsageError: No row has a label.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    known = labels != UNLABELLED
    if not known.any():
        raise UsageError(
            "none of the val rows has a label, and a temperature is fitted on labels: "
            "evaluate without `--calibrate`"
        )
    truth, logits = labels[known], _logits(probabilities[known])

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns float64 (n, k), the probabilities at another temperature; the predicted class stays."""
    from scipy.special import softmax

    return softmax(_logits(probabilities) / temperature, axis=1)


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), FLOOR))
