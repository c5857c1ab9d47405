"""Figures of one number for many resamples at once: each row counts as often as its weight says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class WeightedNumber:
    """The figures of one number as functions of weights.

    Attributes:
        truth: float64 (n,), finite.
        answers: float64 (n,), finite.
    """

    truth: np.ndarray
    answers: np.ndarray

    def figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Returns ``mae``, ``rmse``, ``r2`` and ``spearman``, float (b,) each; NaN where one is not defined.

        Args:
            weights: Whole numbers from 0 up, float (b, n).
        """
        errors = self.truth - self.answers
        count = weights.sum(axis=1)
        return {
            "mae": _ratio(weights @ np.abs(errors), count),
            "rmse": np.sqrt(_ratio(weights @ errors**2, count)),
            "r2": self.r2(weights),
            "spearman": _correlation(_ranks(self.truth, weights), _ranks(self.answers, weights), weights),
        }

    def r2(self, weights: np.ndarray) -> np.ndarray:
        """Returns ``r2`` alone, which heads are ranked by, float (b,), as :meth:`figures`."""
        square = weights @ (self.truth - self.answers) ** 2
        # That values vary is told by the values: rounding leaves a spread to those that do not.
        told = 1 - _ratio(square, _spread(self.truth, weights))
        return np.where(_varies(self.truth, weights), told, np.nan)


def _varies(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Tells in which resamples there are two different values, bool (b,)."""
    there = weights > 0
    highest = np.where(there, values, -np.inf).max(axis=1)
    return np.asarray(highest > np.where(there, values, np.inf).min(axis=1))


def _spread(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the sum of squared distances from the mean, float (b,).

    The mean is that of each resample: one far value would cost all digits of the difference of two sums.
    """
    means = _ratio(weights @ values, weights.sum(axis=1))
    return np.asarray(np.einsum("bn,bn->b", weights, (values - means[:, None]) ** 2))


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the rank of each row among the rows of each resample, ties sharing their mean, float (b, n)."""
    places = np.unique(values, return_inverse=True)[1]
    order = np.argsort(places, kind="stable")
    last = np.flatnonzero(np.diff(places[order], append=len(values)))
    upto = weights[:, order].cumsum(axis=1)[:, last]
    tied = np.diff(upto, axis=1, prepend=0)
    return np.asarray((upto - tied + (tied + 1) / 2)[:, places])


def _correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of two (b, n) under weights, float (b,); NaN where either is constant."""
    count = weights.sum(axis=1)
    one, other = (
        part - _ratio(np.einsum("bn,bn->b", weights, part), count)[:, None] for part in (one, other)
    )
    along = np.einsum("bn,bn,bn->b", weights, one, other)
    lengths = [np.sqrt(np.einsum("bn,bn,bn->b", weights, part, part)) for part in (one, other)]
    return np.clip(_ratio(along, lengths[0] * lengths[1]), -1, 1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
