from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation import evaluate, measure


def test_report_says_what_was_evaluated(make_report, spec, tmp_path):
    report = make_report(("a", "b", "c"), n=50)
    assert (report.head, report.dataset, report.split, report.spec) == ("stored", "toy", "test", spec)
    assert report.probabilities.shape == (50, 3)
    assert len(report.rows) == report.figures.n == 50
    assert report.folder == tmp_path / "runs" / "stored" / "test"


def test_json_has_exactly_the_promised_keys(make_report):
    report = make_report(("a", "b"), dtype=np.float32)
    record = report.to_json()
    promised = ["head", "split", "n", "accuracy", "accuracy_ci", "macro_f1", "log_loss", "run"]
    more = ["unlabelled", "majority_class", "majority_accuracy", "classes_not_found", "notes"]
    assert list(record) == [*promised, "trained_on", "validated_on", "temperature", *more]
    assert record == json.loads(json.dumps(record))
    assert record["run"] == str(report.run)
    assert record["accuracy_ci"] == [*report.figures.accuracy_ci]


@pytest.mark.parametrize(
    ("split", "weights", "words"),
    [
        ("test", "sha256:00", ["test has only 60 rows"]),
        ("train", "sha256:00", ["this is the training split"]),
        ("val", "random:7", ["RANDOM FILTERS (random:7)"]),
        ("train", "random:7", ["this is the training split", "RANDOM FILTERS"]),
    ],
)
def test_figures_that_would_mislead_come_with_a_note(make_report, spec, split, weights, words):
    report = make_report(("a", "b"), split=split, spec=dataclasses.replace(spec, weights=weights))
    assert len(report.notes) == len(words)
    assert all(word in note for word, note in zip(words, report.notes, strict=True))


def test_unlabelled_rows_are_predicted_but_not_counted(make_features, make_head, predict):
    labels, probabilities = predict(2, 10)
    labels[:4] = -1
    report = evaluate(
        make_head(("a", "b")), make_features(probabilities, labels, split="test", classes=("a", "b"))
    )
    assert (report.figures.n, report.figures.unlabelled) == (6, 4)
    assert any("4 rows have no label" in note for note in report.notes)
    assert len(report.rows) == len(report.probabilities) == 10


def test_a_split_without_labels_is_refused(make_features, make_head):
    features = make_features(np.full((3, 2), 0.5), np.full(3, -1), split="test", classes=("a", "b"))
    with pytest.raises(UsageError, match="none of the 3 rows has a label"):
        evaluate(make_head(("a", "b")), features)


def test_augmented_views_count_in_no_figure(make_features, make_head, predict):
    labels, probabilities = predict(3, 20)
    features = make_features(probabilities, labels, split="train", classes=tuple("abc"))
    views = (np.arange(20) % 2).astype(np.uint8)
    features = dataclasses.replace(features, rows=dataclasses.replace(features.rows, views=views))
    report = evaluate(make_head(tuple("abc")), features)
    expected = measure(labels[::2], probabilities[::2], "abc")
    assert report.figures.n == 10
    assert report.figures.accuracy == expected.accuracy
    assert len(report.rows) == len(report.probabilities) == 10


def test_labels_are_translated_by_class_name(make_features, make_head):
    # The split counts (dogs, cats, foxes without a row); the head counts (cats, dogs).
    features = make_features(
        np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
        np.array([1, 0, -1]),
        split="test",
        classes=("dogs", "cats", "foxes"),
    )
    report = evaluate(make_head(("cats", "dogs")), features)
    assert report.figures.accuracy == 1
    assert report.rows.labels.tolist() == [0, 1, -1]


def test_a_class_the_head_does_not_know_is_refused(make_features, make_head):
    features = make_features(
        np.full((2, 2), 0.5), np.array([0, 1]), split="test", classes=("cats", "fox\x1b")
    )
    with pytest.raises(CacheMismatchError, match=r"'stored' does not know 1 of .* toy test: fox�\. Run"):
        evaluate(make_head(("cats", "dogs")), features)


def test_groups_of_rows_widen_the_bootstrap_intervals_and_are_told(make_features, make_head, predict):
    labels, probabilities = (np.repeat(part, 10, axis=0) for part in predict(2, 30))
    features = make_features(probabilities, labels, split="test", classes=("a", "b"))
    alone = evaluate(make_head(("a", "b")), features)
    patients = [f"patient{i // 10}" for i in range(290)] + [""] * 10
    features = dataclasses.replace(features, rows=dataclasses.replace(features.rows, groups=patients))
    report = evaluate(make_head(("a", "b")), features)
    assert any("belong to 39 groups" in note for note in report.notes)
    assert not any("groups" in note for note in alone.notes)
    for name, (low, high) in alone.figures.intervals.items():
        wider = report.figures.intervals[name]
        assert wider[1] - wider[0] > 2 * (high - low)
