"""Paired tests: whether two heads that answer for the same images differ by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.evaluation.metrics import CONFIDENCE


class PairedDifference(Protocol):
    """One head against the best one, as a dataclass whose fields are columns of a comparison."""

    @property
    def p(self) -> float:
        """p-value of the paired test, for itself."""

    @property
    def p_holm(self) -> float:
        """The p-value corrected for the number of heads that are compared."""

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely bring about this difference."""

    @property
    def words(self) -> str:
        """The difference as a cell of a table."""


class _Tested:
    """What follows from a corrected p-value."""

    p_holm: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely bring about this difference."""
        return self.p_holm < 1 - CONFIDENCE


@dataclass(frozen=True)
class Difference(_Tested):
    """One head against the best one, by the rows that only one of them has right.

    Attributes:
        only_best: Rows that only the best head has right.
        only_this: Rows that only this head has right.
        p: p-value of McNemar's exact test, for itself.
        p_holm: The p-value corrected for the number of heads that are compared.
    """

    only_best: int
    only_this: int
    p: float
    p_holm: float

    @property
    def words(self) -> str:
        """Rows that only this head, and only the best one, has right."""
        return f"+{self.only_this:,}/-{self.only_best:,}"


@dataclass(frozen=True)
class FigureDifference(_Tested):
    """One head against the best one, by a figure over the same images.

    Attributes:
        difference: Figure of this head less that of the best one; None where either has none.
        difference_low: Lower end of its 95 % bootstrap interval; None where there is none.
        difference_high: Upper end; None likewise.
        p: Two-sided p-value of the paired bootstrap, for itself.
        p_holm: The p-value corrected for the number of heads that are compared.
    """

    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p: float
    p_holm: float

    @property
    def words(self) -> str:
        """The difference."""
        return "-" if self.difference is None else f"{self.difference:+.4f}"


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the two-sided p-value of the hypothesis that two heads are equally often right.

    Rows that both have right or both wrong tell nothing; of the others each is a toss of a fair coin. The
    exact binomial test is taken for any number of rows: the chi-square form only approximates it.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947).
    """
    from scipy.stats import binomtest

    tosses = only_first + only_second
    return float(binomtest(only_first, tosses).pvalue) if tosses else 1.0


def bootstrap_p(drawn: np.ndarray) -> float:
    """Returns the two-sided p-value of the hypothesis that a difference is 0.

    It is twice the share of resamples on the rarer side of 0, where those at 0 count on both: the level of
    the percentile interval that just reaches 0. The figure itself counts as a resample, so no p is 0.

    Sources: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall (1993),
    sections 13.3 and 15.4; A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application",
    Cambridge University Press (1997), chapter 4, for the one that is added.

    Args:
        drawn: The difference in each resample, float (b,).
    """
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(2 * (rarer + 1) / (len(drawn) + 1), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values of one family of tests, so that any false alarm at all stays as rare as promised.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected.tolist()
