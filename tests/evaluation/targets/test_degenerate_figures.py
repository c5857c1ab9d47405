"""Figures of labels and numbers where there is little to measure: scikit-learn's, or none at all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

from pipeline.errors import UsageError
from pipeline.evaluation.targets.label_figures import measure_labels
from pipeline.evaluation.targets.number_figures import MEASURED, TRAINING, measure_numbers
from pipeline.evaluation.targets.weighted_numbers import WeightedNumber
from pipeline.evaluation.targets.weighted_ranking import WeightedRanking

LABEL_CASES = ("random", "ties", "constant", "no positives", "no negatives", "one row", "unknown")
NUMBER_CASES = ("random", "ties", "constant answers", "constant truth", "one row", "far from 0", "unknown")
RESAMPLED = ("random", "ties", "far from 0", "constant answers")


def labels(case: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = 1 if case == "one row" else int(random.integers(11, 60))
    truth = (random.random((rows, 3)) < random.uniform(0.2, 0.8, 3)).astype(np.float32)
    scores = random.random((rows, 3))
    if case == "ties":
        scores = scores.round(1)
    elif case == "constant":
        scores[:] = 0.4
    elif case == "no positives":
        truth[:, 1] = 0
    elif case == "no negatives":
        truth[:, 1] = 1
    elif case == "unknown":
        truth[random.random(truth.shape) < 0.4] = np.nan
        truth[0] = np.nan
    return truth, scores


def numbers(case: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = 1 if case == "one row" else int(random.integers(11, 60))
    truth = random.normal(size=(rows, 2)).astype(np.float32)
    answers = truth + random.normal(size=(rows, 2))
    if case == "ties":
        truth, answers = truth.round(), answers.round()
    elif case == "constant answers":
        answers[:] = 0.1
    elif case == "constant truth":
        truth[:] = 0.1
    elif case == "far from 0":
        truth, answers = truth + np.float32(4096), answers + 4096
    elif case == "unknown":
        truth[random.random(truth.shape) < 0.4] = np.nan
        truth[0] = np.nan
    return truth, answers


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", LABEL_CASES)
def test_figures_of_labels_are_those_of_scikit_learn(case: str, seed: int) -> None:
    truth, scores = labels(case, seed)
    found = measure_labels(truth, scores, ("a", "b", "c"), (0.3, 0.5, 0.7))
    said = scores >= np.array((0.3, 0.5, 0.7))
    known = ~np.isnan(truth)
    areas = []
    for i, one in enumerate(found.per_label):
        true, answered, score = truth[known[:, i], i], said[known[:, i], i], scores[known[:, i], i]
        scored = metrics.precision_recall_fscore_support(
            true, answered, average="binary", zero_division=0.0, pos_label=1
        )
        assert (one.precision, one.recall, one.f1) == (near(scored[0]), near(scored[1]), near(scored[2]))
        assert (one.rows, one.support, one.predicted) == (len(true), true.sum(), answered.sum())
        if len(np.unique(true)) < 2:
            assert one.average_precision is one.roc_auc is None
            continue
        areas.append(metrics.average_precision_score(true, score))
        assert one.average_precision == near(areas[-1])
        assert one.roc_auc == near(metrics.roc_auc_score(true, score))
    assert found.mean_average_precision == (near(np.mean(areas)) if areas else None)
    assert found.micro_f1 == near(metrics.f1_score(truth[known], said[known], zero_division=0.0))
    assert found.hamming_loss == near(np.mean(truth[known] != said[known]))
    present = [one.f1 for one in found.per_label if one.support]
    assert found.macro_f1 == near(np.mean(present) if present else 0)
    some = known.any(axis=1)
    right = [(truth[row] == said[row])[known[row]].all() for row in np.flatnonzero(some)]
    assert found.exact_match == near(np.mean(right))
    assert (found.n, found.unknown) == (some.sum(), (~some).sum())


@pytest.mark.parametrize("case", LABEL_CASES)
def test_answers_that_look_at_no_image_stand_beside_those_of_a_head(case: str) -> None:
    truth, scores = labels(case, 0)
    found = measure_labels(truth, scores, ("a", "b", "c"), (0.5,) * 3)
    known = ~np.isnan(truth)
    shares = [share for share in np.nanmean(truth, axis=0) if 0 < share < 1]
    assert found.baseline["map"] == (near(np.mean(shares)) if shares else None)
    for answer, constant in ((0, found.never), (1, found.always)):
        said = np.full(truth[known].shape, answer)
        assert constant["micro_f1"] == near(metrics.f1_score(truth[known], said, zero_division=0.0))
        assert "map" not in constant
    assert found.to_json()["baseline"]["never"] == found.never


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", NUMBER_CASES)
def test_figures_of_numbers_are_those_of_scikit_learn(case: str, seed: int) -> None:
    truth, answers = numbers(case, seed)
    found = measure_numbers(truth, answers, ("x", "y"), (0.5, 0.5))
    for i, one in enumerate(found.per_number):
        known = ~np.isnan(truth[:, i])
        true, answered = truth[known, i].astype(float), answers[known, i]
        half = np.full(len(true), 0.5)
        assert one.rows == len(true)
        assert one.mae == near(metrics.mean_absolute_error(true, answered))
        assert one.rmse == near(metrics.root_mean_squared_error(true, answered))
        assert one.median_error == near(metrics.median_absolute_error(true, answered))
        assert one.baseline_rmse == near(metrics.root_mean_squared_error(true, half))
        if len(np.unique(true)) < 2:
            assert one.r2 is one.spearman is one.baseline_r2 is None
            continue
        assert one.r2 == near(metrics.r2_score(true, answered))
        assert one.baseline_r2 == near(metrics.r2_score(true, half))
        varied = len(np.unique(answered)) > 1
        assert one.spearman == (near(spearmanr(true, answered).statistic) if varied else None)
    record = found.to_json()
    assert record["rmse"] == near(np.mean([one.rmse for one in found.per_number]))
    for name, ends in record["intervals"].items():
        assert ends[0] <= record[name] <= ends[1]


@pytest.mark.parametrize("case", RESAMPLED)
def test_figures_of_a_resample_of_numbers_are_those_of_its_rows(case: str) -> None:
    truth, answers = numbers(case, 3)
    part = WeightedNumber(truth[:, 0].astype(float), answers[:, 0])
    weights = np.random.default_rng(4).integers(0, 4, (20, len(truth)))
    found = part.figures(weights.astype(float))
    for place, counts in enumerate(weights):
        true, answered = np.repeat(part.truth, counts), np.repeat(part.answers, counts)
        assert found["mae"][place] == near(metrics.mean_absolute_error(true, answered))
        assert found["rmse"][place] == near(metrics.root_mean_squared_error(true, answered))
        assert found["r2"][place] == near(metrics.r2_score(true, answered))
        if case == "constant answers":
            assert np.isnan(found["spearman"][place])
        else:
            assert found["spearman"][place] == near(spearmanr(true, answered).statistic)


@pytest.mark.parametrize("case", ["random", "ties", "constant", "unknown"])
def test_average_precision_of_a_resample_is_that_of_its_rows(case: str) -> None:
    truth, scores = labels(case, 3)
    known = ~np.isnan(truth[:, 0])
    weights = np.random.default_rng(5).integers(0, 4, (20, len(truth)))
    ranking = WeightedRanking.of(truth[known, 0], scores[known, 0], known)
    for counts, found in zip(weights, ranking.average_precision(weights.T.astype(float)), strict=True):
        true, score = (np.repeat(part[known, 0], counts[known]) for part in (truth, scores))
        assert found == near(metrics.average_precision_score(true, score))


@pytest.mark.parametrize("value", [0.0, 0.1, 3.3, 1e6])
def test_resamples_in_which_all_values_are_alike_are_in_no_interval_of_r2(value: float) -> None:
    truth = np.full((12, 1), value, np.float32)
    truth[0] += 1
    found = measure_numbers(truth, truth + 0.1, ("x",), (0.0,))
    low, high = found.intervals["r2"]
    assert 0 < low <= high < 1


def test_resamples_without_a_label_to_rank_are_in_no_interval_of_map() -> None:
    truth = np.zeros((30, 1), np.float32)
    truth[:2] = 1
    scores = np.linspace(1, 0, 30)[:, None]
    scores[1] = 0.5
    low, _ = measure_labels(truth, scores, ("a",), (0.5,)).intervals["map"]
    assert low > 0


def test_means_over_numbers_have_intervals_of_rows_that_are_drawn_together() -> None:
    truth, answers = numbers("random", 1)
    twice = np.concatenate([truth[:, :1]] * 2, axis=1), np.concatenate([answers[:, :1]] * 2, axis=1)
    one = measure_numbers(truth[:, :1], answers[:, :1], ("x",), (0.0,)).intervals
    two = measure_numbers(*twice, ("x", "y"), (0.0, 0.0)).intervals
    assert one.keys() == two.keys() == {"mae", "rmse", "r2", "spearman"}
    for name, ends in one.items():
        assert two[name] == pytest.approx(ends)


def test_images_of_a_group_are_drawn_together() -> None:
    random = np.random.default_rng(0)
    of_group = random.normal(size=(15, 1))
    truth = np.repeat(random.normal(size=(15, 1)), 20, axis=0).astype(np.float32)
    answers = truth + np.repeat(of_group, 20, axis=0)
    alone = measure_numbers(truth, answers, ("x",), (0.0,)).intervals["mae"]
    together = measure_numbers(truth, answers, ("x",), (0.0,), groups=np.repeat(np.arange(15), 20))
    low, high = together.intervals["mae"]
    assert high - low > 2 * (alone[1] - alone[0])


def test_the_baseline_says_what_it_answers() -> None:
    truth, answers = numbers("random", 0)
    known = measure_numbers(truth, answers, ("x", "y"), (0.0, 0.0)).to_json()["baseline"]
    guessed = measure_numbers(truth, answers, ("x", "y"), ()).to_json()["baseline"]
    assert (known["answer"], guessed["answer"]) == (TRAINING, MEASURED)
    assert guessed["r2"] == pytest.approx(0, abs=1e-6)


def test_the_object_of_several_numbers_has_the_mean_prediction_interval() -> None:
    truth = np.arange(40, dtype=np.float32).reshape(20, 2)
    residuals = [np.full(30, 1.0), np.full(30, 3.0)]
    answers = truth + np.array([1.0, 4.0])
    found = measure_numbers(truth, answers, ("x", "y"), (0.0, 0.0), residuals=residuals).to_json()
    assert found["prediction_interval"] == {"coverage": 0.9, "half_width": 2.0, "covered": 0.5}
    on_val = measure_numbers(truth, answers, ("x", "y"), (0.0, 0.0), residuals=residuals, held_out=False)
    assert on_val.to_json()["prediction_interval"]["covered"] is None


def test_nothing_known_is_refused() -> None:
    nothing = np.full((3, 2), np.nan, np.float32)
    with pytest.raises(UsageError, match="3 images"):
        measure_labels(nothing, np.zeros((3, 2)), ("a", "b"), (0.5, 0.5))
    with pytest.raises(UsageError, match="3 images"):
        measure_numbers(nothing, np.zeros((3, 2)), ("a", "b"), (0.0, 0.0))
