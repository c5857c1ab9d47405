"""Remarks on classes: never learnt, never found, rare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation import Report, evaluate

CLASSES = ("ant", "bee", "cat")


@pytest.fixture
def report(make_features: Callable[..., FeatureSet], make_head: Callable[..., Any]) -> Callable[..., Report]:
    """Evaluates a head that answers as told on rows with the given labels."""

    def make(labels: list[int], answers: list[int], **changes: object) -> Report:
        probabilities = np.full((len(labels), len(CLASSES)), 0.1)
        probabilities[np.arange(len(labels)), answers] = 0.8
        features = make_features(probabilities, labels, split="test", classes=CLASSES)
        return evaluate(make_head(CLASSES, **changes), features)

    return make


def test_a_class_without_training_rows(report: Callable[..., Report]) -> None:
    made = report([0, 0, 1, 2, 2], [0, 0, 1, 0, 0], unlearnt=("cat",))
    (note,) = [one for one in made.notes if "training rows" in one]
    assert "no training rows of cat" in note
    assert note.endswith("so the accuracy on its 2 rows of 5 is 0")
    assert made.to_json()["classes_not_found"] == ["cat"]


def test_a_class_of_which_nothing_is_found(report: Callable[..., Report]) -> None:
    made = report([0, 0, 0, 1, 2, 2], [0, 0, 0, 0, 2, 2])
    (note,) = [one for one in made.notes if "nothing was found" in one]
    assert "of bee (1 row)" in note
    assert "always answering ant gives an accuracy of 50.00%" in note
    assert made.to_json() | {"majority_class": "ant", "majority_accuracy": 0.5} == made.to_json()


def test_a_rare_class(report: Callable[..., Report]) -> None:
    labels = [0] * 18 + [1] + [2] * 2
    made = report(labels, labels)
    (note,) = [one for one in made.notes if "is rare" in one]
    assert note.startswith("bee is rare (1 row of 21); always answering ant gives an accuracy of 85.71%")


def test_even_classes_that_are_found_need_no_remark(report: Callable[..., Report]) -> None:
    made = report([0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 0])
    assert not [one for one in made.notes if "always answering" in one or "training rows" in one]
