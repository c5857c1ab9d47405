"""Numbers that are right but odd: every head gives probabilities and figures, or says why not in one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError
from pipeline.evaluation import evaluate
from pipeline.heads import TrainedHead, describe_head, fit_head
from pipeline.heads._keras.keras_head import PIXELS

NAMES = registry.names(pipeline.heads)
QUICK = {"epochs": 2, "head_epochs": 2, "filters": (8, 16), "rounds": 3}
MANY = 10_000

pytestmark = [
    pytest.mark.parametrize("name", NAMES),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]

Make = Callable[..., FeatureSet]
Toy = Callable[..., FeatureSet]


def quick(name: str, **changes: int) -> dict[str, object]:
    known = {option.name for option in describe_head(name).options}
    return {key: value for key, value in (QUICK | changes).items() if key in known}


def answer(
    name: str, train: FeatureSet, test: FeatureSet, valid: FeatureSet | None = None, **changes: int
) -> TrainedHead | None:
    """Trains and measures: all figures are numbers, or one line has been raised (None)."""
    try:
        trained = fit_head(name, train, valid, options=quick(name, **changes))
        report = evaluate(trained, test)
    except PipelineError as error:
        return _said(error)
    assert np.isfinite(report.probabilities).all()
    assert report.probabilities.sum(axis=1) == pytest.approx(1)
    for text in (json.dumps(report.to_json()), json.dumps(trained.to_json())):
        json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no figure"))
    assert 0 <= report.figures.accuracy <= 1
    assert math.isfinite(report.figures.log_loss)
    return trained


def _said(error: PipelineError) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) > 20


def pixels_or(kind: str, train: FeatureSet, value: float) -> np.ndarray:
    value = value % 256 if kind == PIXELS else value
    return np.full_like(train.features, value)


@pytest.mark.parametrize("value", [0.0, pytest.param(65504.0, marks=pytest.mark.torture)])
def test_constant_features(
    name: str, value: float, kind: str, train: FeatureSet, make_features: Make
) -> None:
    features = pixels_or(kind, train, value)
    same = make_features(features, train.labels, classes=train.classes, spec=train.spec)
    trained = answer(name, same, same)
    if trained is not None:  # nothing can be told apart, so all rows are answered alike
        assert np.ptp(trained.predict_proba(same), axis=0).max() < 1e-6


@pytest.mark.parametrize(
    ("largest", "dtype"),
    [(1e15, np.float32), pytest.param(65504, np.float16, marks=pytest.mark.torture)],
)
def test_the_largest_numbers(
    name: str, largest: float, dtype: type, kind: str, train: FeatureSet, make_features: Make
) -> None:
    if kind == PIXELS:
        pytest.skip("pixels end at 255")
    signs = np.where(train.features > 1, 1, -1)
    rows = make_features(
        (signs * largest).astype(dtype), train.labels, classes=train.classes, spec=train.spec
    )
    answer(name, rows, rows)
    beyond = make_features(
        (signs * 3e38).astype(np.float32), train.labels, classes=train.classes, spec=train.spec
    )
    with pytest.raises(PipelineError, match=r"row 0 .* hold numbers beyond 1e\+15 \(60 such rows"):
        fit_head(name, beyond, options=quick(name))


def test_one_row_a_class(name: str, make_toy: Toy) -> None:
    train = make_toy(rows=3)
    trained = answer(name, train, make_toy("test", rows=9), make_toy("val", rows=3))
    assert trained is not None
    assert trained.class_counts == (1, 1, 1)


@pytest.mark.parametrize("rows", [0, pytest.param(6, marks=pytest.mark.torture)])
def test_a_val_and_a_test_without_labels_and_a_class_that_only_test_has(
    name: str, rows: int, train: FeatureSet, make_toy: Toy, make_features: Make
) -> None:
    labels = np.where(train.labels == 1, -1, train.labels)
    partly = make_features(train.features, labels, classes=train.classes, spec=train.spec)
    valid = make_toy("val", rows=rows)
    labels = np.full(rows, -1)
    blind = make_features(valid.features, labels, split="val", classes=train.classes, spec=train.spec)
    trained = answer(name, partly, make_toy("test", rows=9), blind)
    assert trained is not None
    assert trained.class_counts[1] == 0
    assert trained.val_accuracy is None
    empty = make_toy("test", rows=0)
    unlabelled = make_features(
        train.features[:5], np.full(5, -1), split="test", classes=train.classes, spec=train.spec
    )
    for nothing in (empty, unlabelled):
        with pytest.raises(PipelineError) as caught:
            evaluate(trained, nothing)
        assert "\n" not in str(caught.value)


@pytest.mark.torture
def test_ten_thousand_classes(name: str, kind: str, train: FeatureSet, make_features: Make) -> None:
    shape = train.features.shape[1:]
    random, labels = np.random.default_rng(0), np.arange(MANY)
    values = random.normal(size=(MANY, int(np.prod(shape)))).reshape(-1, *shape)
    features = (
        values.astype(np.float16) if kind != PIXELS else (values * 40 + 128).clip(0, 255).astype(np.uint8)
    )
    classes = tuple(f"class {i}" for i in range(MANY))
    rows = make_features(features, labels, classes=classes, spec=train.spec)
    some = make_features(features[:50], labels[:50], split="test", classes=classes, spec=train.spec)
    answer(name, rows, some, batch_size=512, epochs=1, head_epochs=1)
