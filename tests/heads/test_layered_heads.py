"""Heads that can be written as layers answer as layers what they answer by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.heads import Layered, fit_head, layered_heads, make_head
from pipeline.heads._keras.keras_head import KerasHead
from pipeline.heads._sklearn.dense_layers import log_sigmoid
from pipeline.images.targets import LABELS, NUMBER

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

QUICK = {"epochs": 2, "head_epochs": 1, "units": 8, "hidden": (8, 4), "filters": (4,)}
SIZES = {"ann": {"units": (8, 4)}}


def quick(name: str) -> dict[str, object]:
    """Options under which a head trains in no time."""
    known = make_head(name, {}).__dataclass_fields__
    return {option: value for option, value in (QUICK | SIZES.get(name, {})).items() if option in known}


# What a Keras head was trained with is a network already, and has an output a class whatever their number.
ASKED = [
    (name, classes)
    for name in layered_heads()
    for classes in ([3] if isinstance(make_head(name, {}), KerasHead) else [2, 3])
]


@pytest.mark.parametrize(("name", "classes"), ASKED)
def test_layers_answer_what_the_head_answers(
    name: str, classes: int, make_toy: Callable[..., FeatureSet]
) -> None:
    def some(split: str) -> FeatureSet:
        features = make_toy(split, rows=30)
        features.rows.labels[:] %= classes
        return features

    trained = fit_head(name, some("train"), some("val"), options=quick(name))
    rows = some("test")

    network = trained.head.to_network(trained.model, trained.task)

    answers = np.asarray(network(rows.to_memory().astype(np.float32), training=False))
    np.testing.assert_allclose(answers, trained.predict_proba(rows)[:, :classes], atol=2e-5)


def test_which_heads_are_layers() -> None:
    layered = set(layered_heads())

    assert {"logreg", "ridge", "linear-svm", "lda", "prototype", "sgd", "mlp", "finetune"} <= layered
    for name in registry.names(pipeline.heads):
        head = make_head(name, {})
        assert isinstance(head, Layered) == (name in layered)
        assert name in layered or not isinstance(head, KerasHead)
    assert not {"knn", "random-forest", "svm-rbf", "gaussian-nb"} & layered


def test_the_logarithm_of_the_logistic_function_never_overflows() -> None:
    scores = np.float32([-1e4, -100, -1, 0, 1, 100, 1e4])

    logarithms = np.asarray(log_sigmoid(scores))

    np.testing.assert_allclose(logarithms, -np.logaddexp(0, -scores.astype(np.float64)), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "target"), [(name, target) for target in (LABELS, NUMBER) for name in layered_heads(target)]
)
def test_layers_answer_with_labels_and_with_numbers(
    name: str, target: str, make_toy: Callable[..., FeatureSet]
) -> None:
    """Some are unknown, one label is that of all rows and one of none, and numbers are in the thousands."""

    def some(split: str) -> FeatureSet:
        made = make_toy(split, rows=30, classes=("first", "second", "all", "none"))
        has = np.eye(3)[made.rows.labels]
        has[:, 2] = 1
        values = np.column_stack([has, np.zeros(30)]).astype(np.float32)
        if target == NUMBER:
            values = (5000 + 1000 * values * [1, -1, 0, 0] + 10 * np.arange(4)).astype(np.float32)
        values[::7, 1] = np.nan
        rows = replace(made.rows, labels=np.full(30, -1), targets=values)
        return replace(made, rows=rows, target=target)

    options = quick(name) | ({"members": "2*ridge + dense"} if name == "ensemble" else {})
    trained = fit_head(name, some("train"), options=options)
    rows = some("test")
    expected = trained.predict_targets(rows)

    network = trained.head.to_network(trained.model, trained.task)

    answers = np.asarray(network(rows.to_memory().astype(np.float32), training=False))
    close = 2e-5 if target == LABELS else 0.02
    np.testing.assert_allclose(answers, expected, rtol=0, atol=close)
    assert np.ptp(expected[:, 0]) > 1000 * close
