"""A temperature is found where the rows tell it, refused where they do not, and changes no answer."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from pipeline.errors import UsageError
from pipeline.heads import Temperature, fit_temperature
from pipeline.heads._core.temperature import FLOOR, WIDEST, fit_inverse_temperature

Case = tuple[np.ndarray, np.ndarray]


def boasting(n: int, k: int = 4, *, seed: int = 0, factor: float = 3.0) -> Case:
    """Labels drawn from the softmax of logits, and the softmax of ``factor`` times the logits."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, k))
    chances = softmax(logits, axis=1)
    labels = (chances.cumsum(axis=1) < random.random(n)[:, None]).sum(axis=1)
    return np.minimum(labels, k - 1).astype(np.int32), softmax(factor * logits, axis=1)


def of(value: float) -> Temperature:
    return Temperature(value=value, low=value, high=value, rows=1)


def apply(probabilities: np.ndarray, value: float) -> np.ndarray:
    return of(value).apply(probabilities, np.ones(probabilities.shape[1], bool))


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0, 10.0])
def test_the_factor_on_the_logits_is_found(factor: float) -> None:
    found = fit_temperature(*boasting(20_000, factor=factor))
    assert found.value == pytest.approx(factor, rel=0.05)
    assert found.low < factor < found.high
    assert found.rows == 20_000


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    found = [fit_temperature(*boasting(300, seed=seed)) for seed in range(200)]
    hits = sum(one.low <= 3 <= one.high for one in found)
    assert 180 <= hits <= 198  # 95 % of 200, three standard deviations to either side


def test_the_log_loss_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    points = random.normal(size=(400, 5)) + np.eye(5)[labels]
    model = LogisticRegression(C=1e4).fit(points[:60], labels[:60])
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(
        points[60:], labels[60:]
    )
    answers = model.predict_proba(points[60:])
    ours = apply(answers, fit_temperature(labels[60:], answers).value)
    expected = log_loss(labels[60:], theirs.predict_proba(points[60:]))
    assert log_loss(labels[60:], ours) == pytest.approx(expected, abs=1e-6)


def right(n: int) -> Case:
    labels = np.arange(n) % 3
    return labels, np.eye(3)[labels] * 0.7 + 0.1


def wrong(n: int) -> Case:
    labels, answers = right(n)
    return (labels + 1) % 3, answers


def first(case: Case, n: int) -> Case:
    return case[0][:n], case[1][:n]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (first(right(3), 0), "0 val rows, 0 of them answered wrongly, leave it open: any temperature "),
        (right(1), "1 val row, 0 of them answered wrongly"),
        (right(10_000), "10,000 val rows, 0 of them answered wrongly, leave it open: any temperature below"),
        (wrong(10_000), "10,000 of them answered wrongly, leave it open: any temperature above"),
        (first(boasting(100), 8), "8 val rows"),
        ((np.arange(50) % 2, np.full((50, 2), 0.5)), "any temperature "),  # says nothing at every temperature
    ],
    ids=["none", "one", "all right", "all wrong", "few", "constant"],
)
def test_rows_that_do_not_tell_it_are_refused(case: Case, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_temperature(*case)


def test_a_single_row_that_is_wrong_or_right_is_never_enough() -> None:
    for labels, answers in (boasting(1, seed=seed, factor=1.0) for seed in range(50)):
        with pytest.raises(UsageError, match="leaves it open"):
            fit_temperature(labels, answers)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_what_is_not_refused_does_new_rows_good(factor: float) -> None:
    fresh, answers = boasting(20_000, seed=1, factor=factor)
    best = log_loss(fresh, apply(answers, factor))
    accepted = 0
    for seed in range(100):
        try:
            found = fit_temperature(*boasting(12 + 2 * seed, seed=seed, factor=factor))
        except UsageError:
            continue
        accepted += 1
        assert found.high <= WIDEST * found.low
        assert log_loss(fresh, apply(answers, found.value)) < 1.25 * best
    assert accepted > 50


@pytest.mark.parametrize("value", [0.02, 0.1, 1.0, 5.0, 50.0])
def test_neither_the_answer_nor_the_order_of_classes_changes(value: float) -> None:
    _, answers = boasting(500, 7)
    overconfident = softmax(40 * np.log(answers), axis=1)  # many below the floor
    assert (overconfident < FLOOR).any()
    for probabilities in (answers, overconfident, answers.astype(np.float32)):
        calibrated = apply(probabilities, value)
        np.testing.assert_array_equal(calibrated.argmax(axis=1), probabilities.argmax(axis=1))
        np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=0, atol=1e-12)
        order = np.argsort(-probabilities, axis=1, kind="stable")
        assert (np.diff(np.take_along_axis(calibrated, order, axis=1), axis=1) <= 0).all()
    np.testing.assert_allclose(apply(answers, 1.0), answers, rtol=0, atol=1e-12)


def test_classes_that_differ_in_the_last_digit_keep_their_order() -> None:
    even = np.array([1 / 3, np.nextafter(1 / 3, 1), 1 / 3])
    for value in (0.5, 3.0, 50.0):
        assert apply(even[None], value).argmax() == 1


def test_classes_of_which_nothing_is_known_stay_at_0() -> None:
    probabilities = np.array([[0.0, 0.9, 0.1], [0.0, 0.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrated = of(2.0).apply(probabilities, np.array([False, True, True]))
    assert not calibrated[:, 0].any()
    assert 0 < calibrated[1, 1] < 1e-6
    assert calibrated[0, 1] == pytest.approx(3 / 4)


def test_probabilities_of_zero_for_the_truth_can_be_mended() -> None:
    labels, answers = boasting(1000, 2)
    certain = np.eye(2)[answers.argmax(axis=1)]
    mended = apply(certain, fit_temperature(labels, certain).value)
    share = np.mean(certain.argmax(axis=1) == labels)
    assert mended.max(axis=1) == pytest.approx(share, abs=1e-3)


def test_what_heads_fit_is_the_inverse_of_a_temperature() -> None:
    labels, answers = boasting(2_000)
    assert 1 / fit_inverse_temperature(np.log(answers), labels) == pytest.approx(
        fit_temperature(labels, answers).value, rel=1e-3
    )
    assert log_softmax(np.zeros((1, 2)), axis=1)[0, 0] == pytest.approx(-np.log(2))


@pytest.mark.parametrize(
    "changes",
    [
        {"value": 0.0},
        {"value": float("nan")},
        {"low": 2.0},
        {"high": 0.5},
        {"high": 51.0},
        {"rows": 0},
        {"rows": "x"},
    ],
)
def test_what_is_no_temperature_is_not_read(changes: dict[str, object]) -> None:
    whole = Temperature(value=1.0, low=0.9, high=1.1, rows=7)
    assert Temperature.from_json(whole.to_json()) == whole
    with pytest.raises((ValueError, TypeError)):
        Temperature.from_json(whole.to_json() | changes)
