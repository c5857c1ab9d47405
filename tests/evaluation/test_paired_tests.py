"""The paired bootstrap: its p-value by hand, and how often it is wrong where there is no difference."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.paired_tests import FigureDifference, bootstrap_p


@pytest.mark.parametrize(
    ("drawn", "p"),
    [
        ([], 1),
        ([0.0] * 99, 1),
        ([-1.0] * 99, 2 / 100),
        ([1.0] * 99, 2 / 100),
        ([-1.0] * 95 + [1.0] * 4, 2 * 5 / 100),
        ([-1.0] * 95 + [0.0] * 4, 2 * 5 / 100),
        ([-1.0] * 50 + [1.0] * 49, 1),
    ],
)
def test_bootstrap_p_by_hand(drawn: list[float], p: float) -> None:
    assert bootstrap_p(np.array(drawn)) == pytest.approx(p)


def test_where_nothing_differs_it_is_below_a_level_about_as_often_as_that_says() -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(400):
        rows = random.normal(size=60)
        weights = random.multinomial(60, np.full(60, 1 / 60), 399)
        found.append(bootstrap_p(weights @ rows / 60))
    for level in (0.05, 0.2, 0.5):
        assert abs(np.mean(np.array(found) <= level) - level) < 0.06


def test_only_a_corrected_p_below_a_twentieth_is_more_than_chance() -> None:
    assert not FigureDifference(-0.1, -0.2, 0.0, 0.01, 0.06).is_significant
    assert FigureDifference(-0.1, -0.2, -0.05, 0.01, 0.04).is_significant
    assert FigureDifference(None, None, None, 1, 1).words == "-"
