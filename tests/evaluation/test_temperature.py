from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from pipeline.errors import UsageError
from pipeline.evaluation import evaluate
from pipeline.evaluation.temperature import apply_temperature, fit_temperature


def boasting(n: int, k: int = 4, *, seed: int = 0, factor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of logits, and the softmax of ``factor`` times the logits."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, k))
    chances = softmax(logits, axis=1)
    labels = (chances.cumsum(axis=1) < random.random(n)[:, None]).sum(axis=1)
    return np.minimum(labels, k - 1).astype(np.int32), softmax(factor * logits, axis=1)


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0, 10.0])
def test_the_factor_on_the_logits_is_found(factor):
    assert fit_temperature(*boasting(20_000, factor=factor)) == pytest.approx(factor, rel=0.05)


def test_the_log_loss_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    points = random.normal(size=(400, 5)) + np.eye(5)[labels]
    model = LogisticRegression(C=1e4).fit(points[:60], labels[:60])
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(
        points[60:], labels[60:]
    )
    answers = model.predict_proba(points[60:])
    ours = apply_temperature(answers, fit_temperature(labels[60:], answers))
    expected = log_loss(labels[60:], theirs.predict_proba(points[60:]))
    assert log_loss(labels[60:], ours) == pytest.approx(expected, abs=1e-6)


def test_no_prediction_changes_and_a_temperature_of_one_changes_nothing():
    _, answers = boasting(500)
    for temperature in (0.1, 5.0):
        cooled = apply_temperature(answers, temperature)
        np.testing.assert_array_equal(cooled.argmax(axis=1), answers.argmax(axis=1))
        np.testing.assert_allclose(cooled.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(apply_temperature(answers, 1.0), answers, rtol=0, atol=1e-12)


def test_probabilities_of_zero_for_the_truth_can_be_mended():
    labels, answers = boasting(1000, 2)
    certain = np.eye(2)[answers.argmax(axis=1)]
    mended = apply_temperature(certain, fit_temperature(labels, certain))
    share = np.mean(certain.argmax(axis=1) == labels)
    assert mended.max(axis=1) == pytest.approx(share, abs=1e-3)


def test_unlabelled_rows_decide_nothing_and_alone_are_refused():
    labels, answers = boasting(300)
    expected = fit_temperature(labels[:200], answers[:200])
    labels[200:] = -1
    assert fit_temperature(labels, answers) == pytest.approx(expected)
    with pytest.raises(UsageError, match="none of the val rows has a label"):
        fit_temperature(np.full(300, -1), answers)


def test_a_calibrated_report_tells_the_figures_before_and_after(make_features, make_head):
    names = tuple("abcd")
    val, test = (
        make_features(answers, labels, split=split, classes=names)
        for split, (labels, answers) in (("val", boasting(800, seed=1)), ("test", boasting(800, seed=2)))
    )
    head = make_head(names)
    plain, report = evaluate(head, test), evaluate(head, test, calibrate_on=val)
    record = report.to_json()["calibration"]
    assert record["temperature"] == pytest.approx(3, rel=0.15)
    assert (record["fitted_on"], record["rows"]) == ("val", 800)
    for name in ("log_loss", "ece", "brier"):
        assert record["before"][name] == getattr(plain.figures, name)
        assert record["after"][name] == getattr(report.figures, name)
        assert record["after"][name] < record["before"][name]
    assert report.figures.accuracy == plain.figures.accuracy
    assert "calibration" not in plain.to_json()


def test_views_of_val_do_not_count(make_features, make_head):
    names = tuple("abcd")
    labels, answers = boasting(400)
    val = make_features(answers, labels, split="val", classes=names)
    views = (np.arange(400) % 2).astype(np.uint8)
    val = dataclasses.replace(val, rows=dataclasses.replace(val.rows, views=views))
    report = evaluate(
        make_head(names), make_features(answers, labels, split="test", classes=names), calibrate_on=val
    )
    assert report.calibration.rows == 200
    assert report.calibration.temperature == fit_temperature(labels[::2], answers[::2])


def test_the_split_that_is_judged_is_not_the_one_that_is_fitted(make_features, make_head):
    val = make_features(*reversed(boasting(50)), split="val", classes=tuple("abcd"))
    with pytest.raises(UsageError, match="so figures on val would flatter it"):
        evaluate(make_head(tuple("abcd")), val, calibrate_on=val)
