"""A temperature is fitted on val rows that the head was not trained on; a report tells what it changes."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import pytest
from scipy.special import softmax

from pipeline.errors import UsageError
from pipeline.evaluation import evaluate
from pipeline.evaluation.calibrating import fit_on_val
from pipeline.evaluation.leaks import Finding, Leaks, Place
from pipeline.evaluation.metrics import measure
from pipeline.heads import SeenImages, fit_temperature

NAMES = tuple("abcd")


def boasting(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from the softmax of logits, and the softmax of 3 times the logits."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(n, 4))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < random.random(n)[:, None]).sum(axis=1)
    return np.minimum(labels, 3).astype(np.int32), softmax(3 * logits, axis=1)


@pytest.fixture
def val(make_features):
    labels, answers = boasting(800, seed=1)
    return make_features(answers, labels, split="val", classes=NAMES)


def test_a_calibrated_report_tells_the_figures_before_and_after(make_features, make_head, val):
    labels, answers = boasting(800, seed=2)
    test = make_features(answers, labels, split="test", classes=NAMES)
    head = make_head(NAMES)
    plain, report = evaluate(head, test), evaluate(make_head(NAMES, temperature=fit_on_val(head, val)), test)
    record = report.to_json()["calibration"]
    assert record["temperature"] == report.to_json()["temperature"] == pytest.approx(3, rel=0.15)
    assert record["interval"][0] < 3 < record["interval"][1]
    assert (record["fitted_on"], record["rows"]) == ("val", 800)
    for name in ("log_loss", "ece", "brier"):
        assert record["before"][name] == getattr(plain.figures, name)
        assert record["after"][name] == getattr(report.figures, name)
        assert record["after"][name] < record["before"][name]
    assert report.figures.accuracy == plain.figures.accuracy
    assert report.figures.top_k == plain.figures.top_k
    assert "calibration" not in plain.to_json()
    assert plain.to_json()["temperature"] is None
    assert plain.looks.answers == report.looks.answers == 1  # the same head, asked twice


def test_figures_without_leaks_are_calibrated_as_those_with_them(make_features, make_head, val):
    labels, answers = boasting(800, seed=2)
    test = make_features(answers, labels, split="test", classes=NAMES)
    trained = SeenImages.of(dataclasses.replace(test, rows=test.rows.take(slice(0, 300))), None)
    temperature = fit_on_val(make_head(NAMES), val)
    report = evaluate(make_head(NAMES, temperature=temperature, seen=trained), test)
    calibrated = temperature.apply(answers[300:], np.ones(4, bool))
    assert report.without_leaks.log_loss == measure(labels[300:], calibrated, NAMES).log_loss


def test_figures_on_val_come_with_a_note(make_head, val):
    head = make_head(NAMES)
    assert not any("fitted on val" in note for note in evaluate(head, val).notes)
    calibrated = make_head(NAMES, temperature=fit_on_val(head, val))
    assert any("fitted on val, so log-loss" in note for note in evaluate(calibrated, val).notes)


def test_views_of_val_and_rows_without_a_label_do_not_count(make_head, val):
    labels = np.where(np.arange(800) < 600, val.labels, -1).astype(np.int32)
    views = (np.arange(800) % 2).astype(np.uint8)
    part = dataclasses.replace(val, rows=dataclasses.replace(val.rows, views=views, labels=labels))
    expected = fit_temperature(val.labels[:600:2], val.features[:600:2])
    assert fit_on_val(make_head(NAMES), part) == expected


def test_rows_that_training_has_seen_take_no_part(make_head, val):
    trained = SeenImages.of(
        dataclasses.replace(val, rows=val.rows.take(slice(0, 300)), features=val.features[:300]), None
    )
    pairs = ((Place("train", "x"), Place("val", val.rows.ids[i])) for i in range(250, 400))
    leaks = Leaks(tuple(Finding("perceptual", *pair) for pair in pairs))
    expected = fit_temperature(val.labels[400:], val.features[400:])
    assert fit_on_val(make_head(NAMES, seen=trained), val, leaks=leaks) == expected
    everything = SeenImages.of(val, None)
    with pytest.raises(UsageError, match=r"0 val rows.*800 more rows stand in train or were trained on"):
        fit_on_val(make_head(NAMES, seen=everything), val)


def test_rows_of_classes_without_training_rows_take_no_part(make_head, val):
    class Partial(type(make_head(NAMES))):
        known = np.array([True, True, False, True])

    answers = val.features * Partial.known
    answers /= answers.sum(axis=1, keepdims=True)
    rows = np.flatnonzero(val.labels != 2)
    expected = fit_temperature(np.array([0, 1, -1, 2])[val.labels[rows]], answers[rows][:, Partial.known])
    head = Partial(folder=None, classes=NAMES)
    assert fit_on_val(head, dataclasses.replace(val, features=answers, crc32=crc32_of(answers))) == expected


def crc32_of(features):
    return np.array([zlib.crc32(row.data) for row in np.ascontiguousarray(features)], np.uint32)


def test_a_val_split_that_does_not_tell_it_says_what_to_do(make_features, make_head):
    labels, answers = boasting(6)
    few = make_features(answers, labels, split="val", classes=NAMES)
    with pytest.raises(UsageError, match=r"no temperature of head stored can be fitted: .*`--calibrate` out"):
        fit_on_val(make_head(NAMES), few)
