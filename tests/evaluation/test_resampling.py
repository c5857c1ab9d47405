from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from pipeline.evaluation import measure, resampling
from pipeline.evaluation.metrics import row_losses
from pipeline.evaluation.resampling import bootstrap_intervals

EXACT = {"rel": 0, "abs": 1e-12}


def intervals(labels: np.ndarray, probabilities: np.ndarray, **options: object) -> dict:
    k = probabilities.shape[1]
    losses = row_losses(labels, probabilities)
    return bootstrap_intervals(labels, probabilities.argmax(axis=1), losses, k=k, **options)


def test_intervals_cover_the_truth_95_times_of_100():
    """Draws 500 data sets of 200 rows from a population whose figures are known."""
    random = np.random.default_rng(1)
    k, size = 3, 200_000
    labels = random.choice(k, size, p=[0.2, 0.3, 0.5])
    logits = random.normal(size=(size, k)) + 1.8 * np.eye(k)[labels]
    probabilities = np.exp(1.3 * logits) / np.exp(1.3 * logits).sum(axis=1, keepdims=True)
    truth = measure(labels, probabilities, "abc")
    covered = dict.fromkeys(truth.intervals, 0)
    for trial in range(500):
        drawn = random.integers(0, size, 200)
        found = intervals(labels[drawn], probabilities[drawn], resamples=400, seed=trial)
        for name, (low, high) in found.items():
            covered[name] += low <= getattr(truth, name) <= high
    assert len(covered) == 8
    for name, count in covered.items():
        assert 0.92 <= count / 500 <= 0.98, name


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_are_those_of_a_slow_computation(grouped, monkeypatch):
    """BCa by hand for every figure: bias, skewness by leaving each unit out, and what few units need."""
    random = np.random.default_rng(3)
    labels = np.arange(24) % 3
    logits = random.normal(size=(24, 3)) + 1.5 * np.eye(3)[labels] * (random.random(24) < 0.8)[:, None]
    probabilities = special.softmax(3 * logits, axis=1)
    groups = np.arange(24) // 2 if grouped else np.arange(24)
    units = len(np.unique(groups))

    def figures(chosen: np.ndarray) -> np.ndarray:
        rows = np.concatenate([np.flatnonzero(groups == unit) for unit in chosen])
        one = measure(labels[rows], probabilities[rows], "abc")
        return np.array([getattr(one, name) for name in found])

    monkeypatch.setattr("pipeline.evaluation.metrics.bootstrap_intervals", lambda *_, **__: {})
    found = intervals(labels, probabilities, resamples=25, seed=9, groups=groups if grouped else None)
    assert len(found) == 8
    whole = figures(np.arange(units))
    draws = np.random.default_rng(9).integers(0, units, (25, units))
    drawn = np.array([figures(draw) for draw in draws])
    left = np.array([figures(np.delete(np.arange(units), unit)) for unit in range(units)])
    for i, name in enumerate(found):
        ties = np.isclose(drawn[:, i], whole[i], rtol=0, atol=1e-12)
        below = np.mean(np.where(ties, 0.5, drawn[:, i] < whole[i]))
        bias = stats.norm.ppf(below)
        skew = left[:, i].mean() - left[:, i]
        acceleration = np.sum(skew**3) / 6 / np.sum(skew**2) ** 1.5
        z = bias + stats.t.ppf([0.025, 0.975], units - 1) * np.sqrt(units / (units - 1))
        ends = stats.norm.cdf(bias + z / (1 - acceleration * z))
        assert found[name] == pytest.approx(tuple(np.quantile(drawn[:, i], ends)), **EXACT), name


def test_rows_of_a_group_are_drawn_together():
    """Ten copies of each row tell no more than the row: the interval is that of the rows alone."""
    random = np.random.default_rng(0)
    labels, answers = random.integers(0, 2, (2, 100))
    probabilities = np.eye(2)[answers] * 0.8 + 0.1
    alone = intervals(labels, probabilities)
    copied, tenfold = np.repeat(labels, 10), np.repeat(probabilities, 10, axis=0)
    names = np.repeat([f"patient {i:03d}" for i in range(100)], 10)
    together = intervals(copied, tenfold, groups=names)
    assert together.keys() == alone.keys()
    for name in alone:
        assert together[name] == pytest.approx(alone[name], abs=1e-9)
    low, high = intervals(copied, tenfold)["accuracy"]
    assert high - low < 0.5 * (alone["accuracy"][1] - alone["accuracy"][0])


def test_the_same_seed_gives_the_same_intervals_in_any_number_of_chunks(predict, monkeypatch):
    data = predict(4, 120)
    expected = intervals(*data, seed=7)
    assert intervals(*data, seed=7) == expected
    assert intervals(*data, seed=8) != expected
    monkeypatch.setattr(resampling, "CHUNK", 1000)
    chunked = intervals(*data, seed=7)
    for name in expected:
        assert chunked[name] == pytest.approx(expected[name], **EXACT)


def test_what_does_not_vary_has_no_interval():
    labels = np.arange(40) % 2
    found = intervals(labels, np.eye(2)[labels] * 0.8 + 0.1)
    assert found == {}


@pytest.mark.parametrize("n", [1, 2, 9])
def test_few_rows_have_no_intervals(predict, n):
    assert measure(*predict(2, n), "ab").intervals == {}


def test_few_groups_have_no_intervals(predict):
    assert measure(*predict(2, 90), "ab", groups=np.arange(90) % 9).intervals == {}


@pytest.mark.parametrize(("k", "n"), [(2, 10), (3, 11), (100, 60), (2, 5000)])
def test_intervals_hold_the_figure_itself(predict, k, n):
    figures = measure(*predict(k, n), "x" * k)
    for name, (low, high) in figures.intervals.items():
        assert np.isfinite([low, high]).all()
        assert low <= getattr(figures, name) <= high


def test_unlabelled_rows_and_their_groups_are_left_out(predict):
    labels, probabilities = predict(2, 60)
    groups = np.arange(60) // 2
    kept = measure(labels[10:], probabilities[10:], "ab", groups=groups[10:])
    labels[:10] = -1
    assert measure(labels, probabilities, "ab", groups=groups).intervals == kept.intervals
