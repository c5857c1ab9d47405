"""Confident learning, against a slow count by the book."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.labels.confident import (
    class_thresholds,
    confident_classes,
    error_probabilities,
    margins,
)


def by_the_book(probabilities: np.ndarray, labels: np.ndarray) -> list[int]:
    found = []
    for row, label in zip(probabilities, labels, strict=True):
        best, best_probability = label, -1.0
        for j in range(len(row)):
            bearing = [probabilities[i][j] for i in range(len(labels)) if labels[i] == j]
            if bearing and row[j] >= np.mean(bearing) and row[j] > best_probability:
                best, best_probability = j, row[j]
        found.append(int(best))
    return found


def test_rows_are_counted_as_the_book_says() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 200)
    labels[labels == 3] = 2  # a class that no row bears
    probabilities = random.dirichlet(np.full(4, 0.4), 200)
    found = confident_classes(probabilities, labels)
    assert found.tolist() == by_the_book(probabilities, labels)
    assert 3 not in found
    assert (found != labels).any()


def test_a_row_that_nobody_is_confident_of_keeps_its_label() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.51, 0.49], [0.45, 0.55]])
    labels = np.array([0, 1, 1, 1])
    np.testing.assert_allclose(class_thresholds(probabilities, labels), [0.9, (0.8 + 0.49 + 0.55) / 3])
    assert confident_classes(probabilities, labels).tolist() == [0, 1, 1, 1]


def test_the_margin_is_that_of_the_suggested_class() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert margins(probabilities, np.array([1, 1]), np.array([0, 1])).tolist() == [0.8, 0.0]


def test_what_weak_answers_contradict_is_no_error_but_what_sure_ones_rule_out_is() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 5, 2000)
    sure = random.random(2000) < 0.5
    # Half of the rows are answered well, of the others nothing is known.
    probabilities = np.where(sure[:, None], 0.02, 0.2) + 0.9 * sure[:, None] * (
        np.arange(5) == truth[:, None]
    )
    probabilities += random.uniform(0, 0.01, probabilities.shape)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    planted = random.random(2000) < 0.05
    labels = np.where(planted, (truth + 1) % 5, truth)
    wrong = error_probabilities(probabilities, labels)
    assert (wrong[planted & sure] > 0.5).all()
    assert (wrong[~sure] < 0.2).all()
    assert (wrong[sure & ~planted] < 0.2).all()
