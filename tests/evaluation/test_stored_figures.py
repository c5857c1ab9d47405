"""Every figure in metrics.json, computed again by scikit-learn from nothing but predictions.csv."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from sklearn import metrics as sk

from pipeline.evaluation.metrics import measure, row_losses
from pipeline.evaluation.resampling import figures_of_margins

EXACT = {"rel": 0, "abs": 1e-12}


@pytest.mark.parametrize(("k", "n"), [(2, 300), (4, 150), (12, 400)])
def test_every_figure_follows_from_the_stored_predictions(make_report, k, n):
    names = [f"class{i}" for i in range(k)]
    folder = make_report(tuple(names), n=n).write()
    stored = json.loads((folder / "metrics.json").read_text())
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    truth = np.array([names.index(row["label"]) for row in rows])
    given = np.array([names.index(row["predicted"]) for row in rows])
    scores = np.array([[float(row[f"p({name})"]) for name in names] for row in rows])
    scores /= scores.sum(axis=1, keepdims=True)
    one_hot = np.eye(k)[truth]

    expected = {
        "n": len(rows),
        "accuracy": sk.accuracy_score(truth, given),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, given),
        "macro_f1": sk.f1_score(truth, given, average="macro"),
        "weighted_f1": sk.f1_score(truth, given, average="weighted"),
        "mcc": sk.matthews_corrcoef(truth, given),
        "kappa": sk.cohen_kappa_score(truth, given),
        "log_loss": sk.log_loss(truth, scores),
        "brier": sk.brier_score_loss(truth, scores, scale_by_half=False),
        "roc_auc": sk.roc_auc_score(one_hot, scores, average="macro"),
        "average_precision": sk.average_precision_score(one_hot, scores, average="macro"),
    }
    assert {name: stored[name] for name in expected} == pytest.approx(expected, **EXACT)
    top = {str(t): sk.top_k_accuracy_score(truth, scores, k=t) for t in (3, 5) if t < k}
    assert stored["top_k"] == pytest.approx(top, **EXACT)
    assert np.array_equal(stored["confusion_matrix"], sk.confusion_matrix(truth, given))

    bins = stored["reliability"]
    share, sure = [one["rows"] / n for one in bins], [one["confidence"] for one in bins]
    assert sum(one["rows"] for one in bins) == n
    assert sum(np.multiply(share, sure)) == pytest.approx(scores.max(axis=1).mean(), **EXACT)
    assert sum(one["accuracy"] * part for one, part in zip(bins, share, strict=True)) == pytest.approx(
        expected["accuracy"], **EXACT
    )
    gaps = [abs(one["accuracy"] - one["confidence"]) for one in bins]
    assert stored["ece"] == pytest.approx(np.dot(share, gaps), **EXACT)
    for name, (low, high) in stored["intervals"].items():
        assert low < stored[name] < high


@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 30), (5, 12), (40, 60)])
def test_the_bootstrap_resamples_the_very_figures(predict, k, n):
    labels, probabilities = predict(k, n, seed=3)
    figures = measure(labels, probabilities, "x" * k)
    counts = figures.confusion.astype(float)
    again = figures_of_margins(counts.diagonal()[None], counts.sum(1)[None], counts.sum(0)[None])
    for name, values in (again | row_losses(labels, probabilities)).items():
        assert values.mean() == pytest.approx(getattr(figures, name), **EXACT)


def test_of_equally_probable_classes_the_first_is_taken():
    labels = np.array([3, 2, 0, 1])
    probabilities = np.array([[1.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    assert measure(labels, probabilities, "abcd").top_k == {3: 0.75}


@pytest.mark.parametrize(("k", "tops"), [(2, []), (3, []), (4, [3]), (5, [3]), (6, [3, 5])])
def test_a_top_that_holds_every_class_is_left_out(predict, k, tops):
    assert list(measure(*predict(k, 20), "x" * k).top_k) == tops


def test_brier_score_sums_over_classes():
    figures = measure(np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]]), "ab")
    assert figures.brier == pytest.approx((0.04 + 0.04 + 0.36 + 0.36) / 2, **EXACT)


def test_what_only_one_class_cannot_tell_is_none_or_zero():
    figures = measure(np.array([1, 1]), np.array([[0.1, 0.9], [0.2, 0.8]]), "ab")
    assert (figures.roc_auc, figures.average_precision) == (None, None)
    assert (figures.mcc, figures.kappa) == (0, 0)


def test_a_class_without_rows_takes_no_part_in_the_ranking(predict):
    labels, probabilities = predict(3, 60)
    wider = np.column_stack([probabilities, np.zeros(60)])
    assert measure(labels, wider, "abcd").roc_auc == measure(labels, probabilities, "abc").roc_auc
