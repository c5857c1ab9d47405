"""Intervals of figures of labels and numbers: what is shifted in resamples is reflected."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.targets.part_figures import ranking
from pipeline.evaluation.targets.resamples import intervals, percentile_interval, reflected, resampled
from pipeline.images.targets import LABELS, NUMBER

SETS = 40


def drawn_set(random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    truth = (random.random((rows, 10)) < 0.1).astype(np.float32)
    return truth, random.normal(size=truth.shape) + 0.5 * truth


def test_intervals_of_average_precision_hold_that_of_all_images() -> None:
    random = np.random.default_rng(0)
    all_truth, all_scores = drawn_set(random, 100_000)
    (true,) = ranking(LABELS, all_truth, all_scores)(np.ones((1, len(all_truth))))["map"]
    held = plain = 0
    for _ in range(SETS):
        truth, scores = drawn_set(random, 150)
        figures = ranking(LABELS, truth, scores)
        low, high = intervals(figures, 150, None)["map"]
        held += low <= true <= high
        (drawn,) = resampled([figures], 150, None, resamples=200, title="")
        ends = percentile_interval(drawn["map"])
        plain += ends is not None and ends[0] <= true <= ends[1]
    assert held >= 0.85 * SETS
    assert plain < 0.6 * SETS


def test_they_stay_among_what_the_figure_can_be() -> None:
    random = np.random.default_rng(1)
    truth, scores = drawn_set(random, 30)
    low, high = intervals(ranking(LABELS, truth, scores), 30, None)["map"]
    assert 0 <= low < high <= 1


def test_those_of_numbers_are_percentiles() -> None:
    truth = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    figures = ranking(NUMBER, truth, truth + 0.5 * np.roll(truth, 1))
    (drawn,) = resampled([figures], 60, None, resamples=1000, title="")
    assert intervals(figures, 60, None)["r2"] == percentile_interval(drawn["r2"])


@pytest.mark.parametrize("value", [0.4, np.array([0.4, 0.2])])
def test_reflected_is_as_far_away_on_the_other_side(value: float | np.ndarray) -> None:
    drawn = np.array([[0.5, 0.1], [0.3, 0.4]])
    np.testing.assert_allclose(reflected(drawn, value) - value, value - drawn)
