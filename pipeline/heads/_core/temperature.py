"""Temperature scaling: one number that makes a head as sure of itself as it is right.

Heads whose scores are no logits fit its inverse while they learn; any head's logits are divided by one later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.heads._core.probabilities import softmax
from pipeline.wording import counted, verb

COLDEST, HOTTEST = 0.02, 50.0
SCALED_BOUNDS = (-5.0, 5.0)
"""Bounds of the logarithm of a factor on scores with a spread of 1."""
FLOOR = float(np.finfo(np.float64).eps)
"""What a probability of 0 counts as, here as in the log-loss: no temperature could raise a true 0."""
BELOW_FLOOR = 1e-6
"""What a difference of logits counts below the floor: enough to keep the order of classes."""
WIDEST = 4.0
"""Largest factor between the ends of the interval of a temperature; ``benchmarks/temperature_intervals.py``
measured what is beyond."""


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """What the logits of a head are divided by, and how well it is known.

    Attributes:
        value: Above 1 the head alone is too sure, below 1 not sure enough.
        low: Lower end of its 95 % interval.
        high: Upper end.
        rows: Rows of val that it was fitted on.
    """

    value: float
    low: float
    high: float
    rows: int

    @property
    def line(self) -> str:
        """The numbers in words."""
        return (
            f"temperature {self.value:.3f} (95% interval {self.low:.3f} to {self.high:.3f}), fitted on "
            f"{counted(self.rows, 'val row')}"
        )

    def apply(self, probabilities: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Returns float64 (n, k), the probabilities at this temperature; the most probable class stays.

        Args:
            probabilities: float (n, k), rows sum to 1.
            known: bool (k,), classes that had training rows; the probability of any other stays 0.
        """
        answers = np.zeros(probabilities.shape)
        answers[:, known] = self._of_known(probabilities[:, known])
        return answers

    def _of_known(self, probabilities: np.ndarray) -> np.ndarray:
        calibrated = softmax(_logits(probabilities) / self.value)
        # Two classes that differ in the last digit may come out as equal, and the first of equals is taken.
        first = probabilities.argmax(axis=1)
        tied = np.flatnonzero(calibrated.argmax(axis=1) != first)
        calibrated[tied, first[tied]] = np.nextafter(calibrated[tied].max(axis=1, initial=0.0), 1.0)
        return calibrated

    def to_json(self) -> dict[str, Any]:
        """Returns what ``head.json`` keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Temperature:
        """Reads what :meth:`to_json` gave; it can come from anywhere.

        Raises:
            ValueError: It is no temperature; or KeyError, TypeError.
        """
        numbers = {name: float(record[name]) for name in ("value", "low", "high")}
        rows = int(record["rows"])
        if not COLDEST <= numbers["low"] <= numbers["value"] <= numbers["high"] <= HOTTEST or rows < 1:
            raise ValueError(f"{numbers['value']} is no temperature")
        return cls(**numbers, rows=rows)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> Temperature:
    """Finds the temperature with the lowest log-loss, where rows tell it well enough for new images to gain.

    Args:
        labels: int (n,), index of the true class.
        probabilities: float (n, m), rows sum to 1, of rows that took no part in training.

    Raises:
        UsageError: There are too few rows, or too few that the head has wrong.
    """
    found = likely_temperature(labels, probabilities)
    if not found.high <= WIDEST * found.low:
        wrong = int(np.count_nonzero(probabilities.argmax(axis=1) != labels))
        raise UsageError(
            f"{counted(len(labels), 'val row')}, {wrong:,} of them answered wrongly, "
            f"{verb(labels, 'leaves', 'leave')} it open: "
            f"{_between(found.low, found.high)} (95% interval), where a factor of {WIDEST:g} is the most "
            "that does good"
        )
    return found


def likely_temperature(labels: np.ndarray, probabilities: np.ndarray) -> Temperature:
    """Finds the temperature with the lowest log-loss, from 0.02 to 50, however little the rows tell of it.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2. The logarithm of
    a probability is a logit up to a number that is the same for the whole row, so heads without logits can be
    calibrated as well. The interval holds all temperatures that a likelihood ratio test does not reject
    (S. S. Wilks, "The large-sample distribution of the likelihood ratio", Annals of Mathematical Statistics
    9, 1938); an end beyond the bounds is 0 or infinite. With no answer wrong, ever lower temperatures are
    ever likelier.

    Arguments are those of :func:`fit_temperature`.
    """
    logits = _logits(probabilities)
    bounds = (np.log(1 / HOTTEST), np.log(1 / COLDEST))
    best = _fit_log_factor(logits, labels, bounds=bounds, tolerance=1e-6) if len(labels) else 0.0
    low, high = (float(np.exp(-end)) for end in reversed(_interval(logits, labels, best, bounds)))
    return Temperature(value=float(np.exp(-best)), low=low, high=high, rows=len(labels))


def fit_inverse_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """Finds the factor under which the softmax of scores fits the labels best.

    One factor for all classes changes no answer, only how sure it is. What it may be is bounded by the
    spread of the scores: rows that are told apart without an error would otherwise make every answer certain.

    Args:
        scores: float (n, m) of rows that took no part in the fit that gives the scores.
        labels: int (n,).

    Returns:
        The factor; that of scores with a spread of 1 where there is no row.
    """
    spread = float(np.std(scores - scores.mean(axis=1, keepdims=True))) if len(scores) else 0.0
    if spread == 0:
        return 1.0
    return float(np.exp(_fit_log_factor(scores, labels, bounds=SCALED_BOUNDS, spread=spread)) / spread)


def _fit_log_factor(
    scores: np.ndarray,
    labels: np.ndarray,
    *,
    bounds: tuple[float, float],
    spread: float = 1.0,
    tolerance: float = 1e-5,
) -> float:
    """Returns the logarithm of the best factor on scores that are divided by ``spread``.

    Bounds and tolerance are those of the logarithm.
    """
    from scipy.optimize import minimize_scalar

    loss = _loss(scores, labels, spread)
    return float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": tolerance}).x)


def _interval(
    logits: np.ndarray, labels: np.ndarray, best: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Returns the ends of the 95 % interval of the logarithm of a factor; infinite beyond the bounds."""
    from scipy.optimize import brentq
    from scipy.stats import chi2

    if not len(labels):
        return -np.inf, np.inf
    loss = _loss(logits, labels, 1.0)
    most = loss(best) + chi2.ppf(0.95, df=1) / 2 / len(labels)

    def end(bound: float, beyond: float) -> float:
        return brentq(lambda one: loss(one) - most, best, bound) if loss(bound) > most else beyond

    return end(bounds[0], -np.inf), end(bounds[1], np.inf)


def _loss(scores: np.ndarray, labels: np.ndarray, spread: float) -> Callable[[float], float]:
    """Returns the mean log-loss as a function of the logarithm of a factor on scores."""
    from scipy.special import log_softmax

    rows = np.arange(len(labels))
    return lambda logarithm: -log_softmax(np.exp(logarithm) / spread * scores, axis=1)[rows, labels].mean()


def _logits(probabilities: np.ndarray) -> np.ndarray:
    wide = probabilities.astype(np.float64)
    with np.errstate(divide="ignore"):
        below = np.maximum(np.log(wide / FLOOR), np.log(np.finfo(np.float64).tiny))
    return np.log(np.maximum(wide, FLOOR)) + BELOW_FLOOR * np.minimum(below, 0)


def _between(low: float, high: float) -> str:
    if low == 0:
        return "any temperature" if np.isinf(high) else f"any temperature below {high:.3g}"
    return f"any temperature above {low:.3g}" if np.isinf(high) else f"{low:.3g} to {high:.3g}"
