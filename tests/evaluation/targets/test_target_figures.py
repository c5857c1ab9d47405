"""Figures of labels and numbers: they are scikit-learn's, and what is unknown is in none of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

from pipeline.evaluation.targets.label_figures import measure_labels
from pipeline.evaluation.targets.number_figures import COVERAGE, measure_numbers
from pipeline.evaluation.targets.resamples import intervals

NAMES = ("a", "b", "c", "d")


def labels(rows: int = 120, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, (rows, 4)).astype(np.float32)
    scores = np.clip(random.random((rows, 4)) + 0.3 * truth - 0.15, 0, 1)
    return truth, scores.round(1) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
def test_figures_of_labels_are_those_of_scikit_learn(ties: bool) -> None:
    truth, scores = labels(ties=ties)
    thresholds = (0.3, 0.5, 0.6, 0.9)
    found = measure_labels(truth, scores, NAMES, thresholds)
    said = scores >= np.array(thresholds)
    near = lambda value: pytest.approx(value, abs=1e-12)  # noqa: E731
    assert found.mean_average_precision == near(metrics.average_precision_score(truth, scores))
    assert found.micro_f1 == near(metrics.f1_score(truth, said, average="micro"))
    assert found.macro_f1 == near(metrics.f1_score(truth, said, average="macro"))
    assert found.exact_match == near(metrics.accuracy_score(truth, said))
    assert found.hamming_loss == near(metrics.hamming_loss(truth, said))
    for i, one in enumerate(found.per_label):
        assert one.average_precision == near(metrics.average_precision_score(truth[:, i], scores[:, i]))
        assert one.roc_auc == near(metrics.roc_auc_score(truth[:, i], scores[:, i]))
        assert one.precision == near(metrics.precision_score(truth[:, i], said[:, i]))
        assert one.recall == near(metrics.recall_score(truth[:, i], said[:, i]))
        assert one.f1 == near(metrics.f1_score(truth[:, i], said[:, i]))
        assert (one.support, one.predicted) == (truth[:, i].sum(), said[:, i].sum())
    share = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert found.baseline["map"] == near(metrics.average_precision_score(truth, share))


def test_labels_that_are_unknown_are_in_no_figure() -> None:
    truth, scores = labels()
    whole = measure_labels(truth[:60], scores[:60], NAMES, [0.5] * 4)
    masked = truth.copy()
    masked[60:] = np.nan
    found = measure_labels(masked, scores, NAMES, [0.5] * 4)
    assert (found.n, found.unknown) == (60, 60)
    assert {**found.to_json(), "unknown": 0} == whole.to_json()
    masked = truth.copy()
    masked[:60, 1] = np.nan
    one = measure_labels(masked, scores, NAMES, [0.5] * 4).per_label[1]
    alone = measure_labels(truth[60:], scores[60:], NAMES, [0.5] * 4).per_label[1]
    assert one == alone


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_label_that_all_images_share_has_no_curve(value: float) -> None:
    truth, scores = labels()
    truth[:, 2] = value
    found = measure_labels(truth, scores, NAMES, [0.5] * 4)
    assert found.per_label[2].average_precision is found.per_label[2].roc_auc is None
    others = [0, 1, 3]
    expected = metrics.average_precision_score(truth[:, others], scores[:, others])
    assert found.mean_average_precision == pytest.approx(expected, abs=1e-12)


def test_one_image_has_figures_and_no_interval() -> None:
    found = measure_labels(np.array([[1, 0, 1, 0]], np.float32), np.full((1, 4), 0.6), NAMES, [0.5] * 4)
    assert found.micro_f1 == pytest.approx(2 / 3)
    assert found.intervals == {}
    assert found.mean_average_precision is None


def test_intervals_hold_their_figure_and_are_wider_where_groups_are_few() -> None:
    truth, scores = labels(400)
    alone = measure_labels(truth, scores, NAMES, [0.5] * 4).intervals
    twice = measure_labels(
        np.repeat(truth, 8, axis=0),
        np.repeat(scores, 8, axis=0),
        NAMES,
        [0.5] * 4,
        np.repeat(np.arange(400), 8),
    ).intervals
    single = measure_labels(truth[:50], scores[:50], NAMES, [0.5] * 4).intervals
    for name in ("map", "micro_f1", "macro_f1", "exact_match"):
        low, high = alone[name]
        assert low < high
        assert twice[name] == pytest.approx((low, high), abs=0.01)
        assert single[name][1] - single[name][0] > high - low


def test_figures_of_numbers_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    truth = (1e6 + random.normal(size=(200, 2)) * [3, 500]).astype(np.float32)
    answers = truth + random.normal(size=(200, 2)) * [1, 400]
    found = measure_numbers(truth, answers, ("x", "y"), (1e6, 1e6))
    for i, one in enumerate(found.per_number):
        true = truth[:, i].astype(float)
        near = lambda value: pytest.approx(value, rel=1e-9, abs=1e-9)  # noqa: E731
        assert one.mae == near(metrics.mean_absolute_error(true, answers[:, i]))
        assert one.rmse == near(metrics.root_mean_squared_error(true, answers[:, i]))
        assert one.r2 == near(metrics.r2_score(true, answers[:, i]))
        assert one.median_error == near(metrics.median_absolute_error(true, answers[:, i]))
        assert one.spearman == near(spearmanr(true, answers[:, i]).statistic)
        assert one.baseline_mae == near(np.abs(true - 1e6).mean())
        assert one.intervals["mae"][0] < one.mae < one.intervals["mae"][1]
    assert found.to_json()["mae"] == pytest.approx(np.mean([one.mae for one in found.per_number]))


def test_numbers_that_do_not_vary_have_no_r2() -> None:
    found = measure_numbers(np.ones((20, 1), np.float32), np.linspace(0, 2, 20)[:, None], ("x",), (1.0,))
    (one,) = found.per_number
    assert one.r2 is one.spearman is None
    assert found.to_json()["r2"] is None


def test_prediction_intervals_hold_what_they_promise() -> None:
    random = np.random.default_rng(3)
    held = []
    for _ in range(200):
        residuals = np.abs(random.normal(size=60))
        truth = random.normal(size=(500, 1)).astype(np.float32)
        found = measure_numbers(truth, np.zeros((500, 1)), ("x",), (0.0,), residuals=[residuals])
        interval = found.per_number[0].prediction_interval
        assert interval is not None
        assert interval.coverage == COVERAGE
        assert interval.half_width == np.sort(residuals)[54]
        held.append(interval.covered)
    assert np.mean(held) == pytest.approx(55 / 61, abs=0.01)


def test_too_few_val_images_tell_no_prediction_interval() -> None:
    found = measure_numbers(
        np.arange(20, dtype=np.float32)[:, None], np.zeros((20, 1)), ("x",), (0.0,), residuals=[np.ones(8)]
    )
    assert found.per_number[0].prediction_interval is None


def test_unknown_numbers_are_left_out() -> None:
    truth = np.array([[1, np.nan], [2, np.nan], [np.nan, np.nan]], np.float32)
    found = measure_numbers(truth, np.zeros((3, 2)), ("x", "y"), (0.0, 0.0))
    assert (found.n, found.unknown) == (2, 1)
    assert [one.name for one in found.per_number] == ["x"]
    assert found.per_number[0].mae == 1.5


def test_a_figure_that_does_not_vary_has_no_interval() -> None:
    ends = intervals(lambda weights: {"one": np.ones(len(weights)), "mean": weights[:, 0]}, 30, None)
    assert ends.keys() == {"mean"}
    assert intervals(lambda weights: {"mean": weights[:, 0]}, 9, None) == {}
