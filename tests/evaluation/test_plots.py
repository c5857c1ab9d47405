from __future__ import annotations

import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline.evaluation.metrics import measure
from pipeline.evaluation.plots import best_epoch, draw_confusion_matrix, draw_curves, has_curves, save_png

HISTORY = {
    "loss": [2.0, 1.0, 0.5, 0.2],
    "accuracy": [0.3, 0.6, 0.8, 0.95],
    "val_loss": [1.8, 1.1, 0.9, 1.0],
    "val_accuracy": [0.4, 0.6, 0.7, 0.7],
}


def picture(figure) -> np.ndarray:
    """Returns the pixels of the PNG, uint8 (height, width, 3)."""
    file = io.BytesIO()
    save_png(figure, file)
    with Image.open(file) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def colours(pixels: np.ndarray) -> int:
    return len(np.unique(pixels @ np.array([65536, 256, 1])))


@pytest.mark.parametrize("k", [2, 10, 50, 200])
def test_confusion_matrix_is_drawn_for_any_number_of_classes(predict, k):
    names = [f"species number {i}" for i in range(k)]
    figure = draw_confusion_matrix(measure(*predict(k, 8 * k), names), subject="logreg on birds")
    pixels = picture(figure)
    assert colours(pixels) > 50
    assert min(pixels.shape[:2]) > 400
    assert max(pixels.shape[:2]) < 2600
    matrix = figure.axes[0]
    assert "logreg on birds\naccuracy " in matrix.get_title(loc="left")
    assert f"n = {8 * k:,}" in matrix.get_title(loc="left")
    assert bool(matrix.texts) == (k <= 50)  # numbers in a cell of six points could not be read
    assert len(matrix.get_yticks()) == {2: 2, 10: 10, 50: 50, 200: 100}[k]


@pytest.mark.parametrize("k", [2, 10, 50, 120, 200, pytest.param(1000, marks=pytest.mark.torture)])
def test_class_names_do_not_overlap(predict, k):
    figure = draw_confusion_matrix(measure(*predict(k, 2 * k), ["a long class name"] * k), subject="x")
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(above.y0 >= below.y1 - 1 for above, below in itertools.pairwise(boxes))


def test_numbers_are_the_counts_and_zeros_stay_blank():
    labels = np.array([0, 0, 0, 1])
    probabilities = np.eye(2)[[0, 0, 0, 0]]
    matrix = draw_confusion_matrix(measure(labels, probabilities, "ab"), subject="x").axes[0]
    assert {text.get_position(): text.get_text() for text in matrix.texts} == {(0, 0): "3", (0, 1): "1"}


def test_hits_are_blue_mistakes_orange_and_absent_classes_grey():
    labels = np.array([0, 0, 1])
    figures = measure(labels, np.eye(3)[[0, 1, 0]], "abc")
    (image,) = draw_confusion_matrix(figures, subject="x").axes[0].images
    red, green, blue = np.moveaxis(np.asarray(image.get_array())[..., :3], -1, 0)
    assert blue[0, 0] > red[0, 0]
    assert red[0, 1] > blue[0, 1]
    assert red[1, 0] > blue[1, 0]
    assert (red[1, 1], green[1, 1], blue[1, 1]) == (1, 1, 1)
    assert np.ptp([red[2], green[2], blue[2]]) < 0.05
    assert red[2].max() < 0.95


def test_hostile_names_are_drawn_as_they_are(predict, hostile):
    figure = draw_confusion_matrix(measure(*predict(len(hostile), 90), hostile), subject="$\\bad{ on \nx")
    assert colours(picture(figure)) > 50
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels[1].startswith("$\\frac{1}$")
    assert all(len(label) <= 24 and label.isprintable() for label in labels if "\u200d" not in label)
    assert colours(picture(draw_curves(HISTORY, subject=hostile[1]))) > 20


def test_curves_show_training_and_validation_and_mark_the_best_epoch():
    figure = draw_curves(HISTORY, subject="training of dense")
    loss, accuracy = figure.axes
    assert (loss.get_title(loc="left"), accuracy.get_title(loc="left")) == ("loss", "accuracy")
    training, validation, best = loss.lines
    assert training.get_xdata().tolist() == [1, 2, 3, 4]
    assert training.get_ydata().tolist() == HISTORY["loss"]
    assert validation.get_ydata().tolist() == HISTORY["val_loss"]
    assert best.get_label() == "best epoch: 3"
    assert colours(picture(figure)) > 20


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [1.0]},
        {"loss": [1.0, 0.5], "val_loss": []},
        {"accuracy": [0.5] * 500, "val_accuracy": [0.4] * 500},
        {"loss": [float("nan")] * 3, "val_loss": [float("nan"), float("inf"), float("nan")]},
        {"loss": [1.0, None, 0.2], "val_loss": [None, 1.0, 0.5]},
    ],
)
def test_odd_histories_are_drawn(history):
    assert has_curves(history)
    assert colours(picture(draw_curves(history, subject="x"))) > 10


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"penalty": [1.0, 2.0]}])
def test_a_head_without_epochs_has_no_curves(history):
    assert not has_curves(history)
    assert best_epoch(history) is None


def test_best_epoch_skips_what_is_no_number():
    assert best_epoch({"val_loss": [float("nan"), 2.0, 1.0, float("inf")]}) == 3
    assert best_epoch({"val_loss": [float("nan")]}) is None


def test_importing_is_cheap_and_drawing_leaves_pyplot_alone():
    script = """
import io, sys
from pipeline.evaluation import evaluate, measure
from pipeline.evaluation import files, plots, tables
heavy = {"sklearn", "scipy", "matplotlib", "tensorflow", "keras"} & set(sys.modules)
assert not heavy, heavy
plots.save_png(plots.draw_curves({"loss": [1.0, 0.5]}, subject="x"), io.BytesIO())
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
