from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.evaluation import measure
from pipeline.evaluation.plots import draw_reliability, save_png, sure
from pipeline.evaluation.reliability import calibration_error, reliability_bins

EXACT = {"rel": 0, "abs": 1e-12}


def test_bins_are_fifteen_equal_parts_of_the_sorted_rows():
    random = np.random.default_rng(0)
    confidence, hits = random.random(600), random.random(600) < 0.7
    order = np.argsort(confidence)
    bins = reliability_bins(confidence, hits)
    assert len(bins) == 15
    for one, part in zip(bins, np.array_split(order, 15), strict=True):
        assert (one.rows, one.low, one.high) == (40, confidence[part[0]], confidence[part[-1]])
        assert one.confidence == pytest.approx(confidence[part].mean(), **EXACT)
        assert one.accuracy == pytest.approx(hits[part].mean(), **EXACT)


@pytest.mark.parametrize(("n", "count"), [(1, 1), (9, 1), (19, 1), (20, 2), (100, 10), (150, 15), (5000, 15)])
def test_few_rows_have_few_bins(n, count):
    bins = reliability_bins(np.linspace(0.5, 1, n), np.ones(n, bool))
    assert len(bins) == count
    assert sum(one.rows for one in bins) == n


def test_equal_confidences_share_a_bin_whatever_the_order_of_the_rows():
    confidence = np.concatenate([np.linspace(0.5, 0.9, 40), np.ones(560)])
    hits = np.arange(600) % 3 > 0
    bins = reliability_bins(confidence, hits)
    assert [(one.low, one.high, one.rows) for one in bins] == [(0.5, 0.9, 40), (1, 1, 560)]
    mixed = np.random.default_rng(0).permutation(600)
    again = reliability_bins(confidence[mixed], hits[mixed])
    assert [one.rows for one in again] == [40, 560]
    assert calibration_error(again) == pytest.approx(calibration_error(bins), **EXACT)


def test_calibration_error_by_hand():
    confidence = np.repeat([0.6, 0.9], [20, 60])
    hits = np.concatenate([np.arange(20) < 10, np.arange(60) < 57])
    assert calibration_error(reliability_bins(confidence, hits)) == pytest.approx(0.25 * 0.1 + 0.75 * 0.05)


def test_a_head_that_is_right_as_often_as_it_says_has_a_small_error_and_a_boaster_a_large_one():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    hits = random.random(20_000) < confidence
    assert calibration_error(reliability_bins(confidence, hits)) < 0.015
    assert calibration_error(reliability_bins(np.sqrt(confidence), hits)) > 0.08


@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 400), (30, 90)])
def test_the_picture_shows_every_bin_and_its_size(predict, k, n):
    figures = measure(*predict(k, n), "x" * k)
    figure = draw_reliability(figures, subject="$x^ on \x1b[31m")
    top, bottom = figure.axes
    (points,) = top.lines
    assert points.get_ydata() == pytest.approx([one.accuracy for one in figures.reliability])
    assert [bar.get_height() for bar in bottom.patches] == [one.rows for one in figures.reliability]
    low, high = top.get_ylim()
    assert low < min(min(one.accuracy, one.confidence) for one in figures.reliability)
    assert high > max(max(one.accuracy, one.confidence) for one in figures.reliability)
    file = io.BytesIO()
    save_png(figure, file)
    with Image.open(file) as image:
        assert min(image.size) > 500
        assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_the_picture_puts_before_and_after_side_by_side(predict):
    before, after = measure(*predict(3, 200), "abc"), measure(*predict(3, 200, seed=1), "abc")
    figure = draw_reliability(after, before=before, subject="x")
    titles = [axes.get_title(loc="left") for axes in figure.axes[:2]]
    assert titles == [
        f"as the head answers, calibration error {before.ece:.4f}",
        f"calibrated, calibration error {after.ece:.4f}",
    ]


@pytest.mark.parametrize(
    ("confidence", "text"),
    [
        (0.5, "50%"),
        (0.994, "99%"),
        (0.997, "99.7%"),
        (0.99996, "99.996%"),
        (1.0, "100%"),
        (1 - 1e-9, ">99.999%"),
    ],
)
def test_only_what_is_certain_is_rounded_to_certainty(confidence, text):
    assert sure(confidence) == text
