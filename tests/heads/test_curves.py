"""Logistic curves: all at once as each by itself, and a number wherever there is little to tell."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.heads._core.probabilities import logistic
from pipeline.heads._sklearn.curves import STEEPEST, fit_curves


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_curves_are_those_of_scikit_learn(unit: float) -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(200, 6)) + np.arange(6)
    truth = (random.random((200, 6)) < logistic((scores - np.arange(6)) * np.arange(6) / 3 - 0.5)).astype(
        np.float32
    )
    truth[random.random((200, 6)) < 0.2] = np.nan
    scores[::7, 2] = np.nan
    slopes, offsets = fit_curves(unit * scores, truth)
    for label in range(6):
        known = ~np.isnan(truth[:, label]) & ~np.isnan(scores[:, label])
        values = scores[known, label, None]
        spread = values.std()
        direct = LogisticRegression(C=1e6, tol=1e-10, solver="newton-cholesky").fit(
            values / spread, truth[known, label]
        )
        assert slopes[label] * unit == pytest.approx(direct.coef_[0, 0] / spread, rel=1e-5)
        assert offsets[label] == pytest.approx(direct.intercept_[0], rel=1e-5)


def test_one_of_a_thousand_and_far_outliers_are_no_trouble() -> None:
    scores = np.random.default_rng(1).normal(size=(1000, 2))
    scores[0] = 1e4
    truth = np.zeros((1000, 2), np.float32)
    truth[0, 0] = truth[1, 1] = 1
    slopes, offsets = fit_curves(scores, truth)
    shares = logistic(scores * slopes + offsets)
    assert np.isfinite(shares).all()
    assert shares.mean(axis=0) == pytest.approx(np.full(2, 1e-3), rel=1e-2)


def test_rows_that_are_alike_give_a_constant_share() -> None:
    scores = np.random.default_rng(2).normal(size=(9, 3))
    truth = np.column_stack([np.ones(9), np.zeros(9), np.full(9, np.nan)])
    slopes, offsets = fit_curves(scores, truth)
    assert slopes.tolist() == [0, 0, 0]
    assert logistic(offsets) == pytest.approx([0.95, 0.05, 0.5])


def test_scores_without_a_fault_have_a_slope_that_ends() -> None:
    scores = np.array([[-1.0, 3], [-2, 3], [1, 3], [2, 3]])
    truth = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    slopes, offsets = fit_curves(1e-9 * scores, truth)
    assert slopes.tolist() == [STEEPEST, 0]
    assert offsets == pytest.approx([0, 0], abs=1e-6)
