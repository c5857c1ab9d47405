"""Tests of whether a difference between heads is more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
