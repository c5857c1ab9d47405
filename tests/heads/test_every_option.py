"""Every option changes what is learnt, and what is learnt is what a slow computation gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, softmax

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads import describe_head, fit_head, make_head, sgd
from pipeline.heads._core import examples
from pipeline.heads._core.class_balance import row_weights
from pipeline.heads._core.examples import select
from pipeline.heads._sklearn.sklearn_head import SklearnHead

HEADS = [name for name in registry.names(pipeline.heads) if isinstance(make_head(name, {}), SklearnHead)]
OPTIONS = [(name, option.name) for name in HEADS for option in describe_head(name).options]
BALANCING = [name for name, option in OPTIONS if option == "class_weight"]

QUICK = {"epochs": 3, "rounds": 5, "trees": 5, "min_samples_leaf": 5}
OTHER = {
    "C": 7.5,
    "alpha": 0.3,
    "batch_size": 16,
    "class_weight": "balanced",
    "components": 3,
    "epochs": 2,
    "gamma": 0.05,
    "hidden": (5,),
    "k": 3,
    "learning_rate": 0.02,
    "max_features": 0.9,
    "max_iter": 1,
    "max_leaf_nodes": 2,
    "min_samples_leaf": 20,
    "rounds": 3,
    "shrinkage": 0.1,
    "tol": 0.2,
    "trees": 3,
    "var_smoothing": 2.0,
    "weights": "uniform",
}
"""A value of each option that is not its default."""


@pytest.fixture
def unequal(make_features: Callable[..., FeatureSet]) -> FeatureSet:
    """90 rows of 12 columns in three overlapping classes: 60, 20 and 10 rows."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat([0, 1, 2], [60, 20, 10]))
    features = random.normal(size=(90, 12)) + 0.8 * np.eye(3)[labels].repeat(4, axis=1)
    return make_features(features.astype(np.float32), labels)


@pytest.fixture
def asked(make_features: Callable[..., FeatureSet]) -> FeatureSet:
    """Rows that nothing was learnt from."""
    features = np.random.default_rng(1).normal(size=(50, 12)) + 0.4
    return make_features(features.astype(np.float32), np.zeros(50), split="test")


def quick(name: str) -> dict[str, object]:
    known = {option.name for option in describe_head(name).options}
    return {option: value for option, value in QUICK.items() if option in known}


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_changes_what_is_learnt(
    name: str, option: str, unequal: FeatureSet, asked: FeatureSet
) -> None:
    plain, changed = (
        fit_head(name, unequal, options=quick(name) | change).model.predict_proba(asked.features)
        for change in ({}, {option: OTHER[option]})
    )

    assert not np.allclose(plain, changed, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", BALANCING)
def test_classes_are_balanced_or_not_and_nothing_else(name: str) -> None:
    with pytest.raises(UsageError, match="class_weight=heavy of head"):
        make_head(name, {"class_weight": "heavy"})


@pytest.mark.parametrize("name", HEADS)
def test_what_a_model_answers_sums_to_one_in_every_row(
    name: str, unequal: FeatureSet, asked: FeatureSet
) -> None:
    model = fit_head(name, unequal, options=quick(name)).model

    assert model.predict_proba(asked.features).sum(axis=1) == pytest.approx(np.ones(50), abs=1e-5)


@pytest.mark.parametrize("name", ["linear-svm", "svm-rbf", "ridge", "prototype"])
def test_probabilities_are_the_softmax_of_the_scores_of_a_row(
    name: str, unequal: FeatureSet, asked: FeatureSet
) -> None:
    scaler, classifier = fit_head(name, unequal).model.steps
    table = scaler.transform(asked.features.copy())

    expected = softmax(classifier.sharpness_ * classifier.decision_function(table), axis=1)

    assert classifier.predict_proba(table) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_sgd_takes_the_steps_of_a_slow_computation(
    class_weight: str | None, classes: int, unequal: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One class against the rest, all weights averaged over all steps, whatever is in memory at a time."""
    unequal.rows.labels[:] %= classes
    monkeypatch.setattr(sgd, "CHUNK_BYTES", 20 * 4 * 12)
    for module in (sgd, examples):
        monkeypatch.setattr(module, "RUN_BYTES", 4 * 4 * 12)
    alpha, step = 0.03, 0.2
    options = {"alpha": alpha, "epochs": 2, "learning_rate": step, "class_weight": class_weight}
    scaler, descent = fit_head("sgd", unequal, options=options, seed=4).model.steps

    rows = select(unequal, np.arange(classes))
    random = np.random.default_rng(4)
    chunks = [chunk for _ in range(2) for chunk in sgd.shuffled_chunks(rows, random)]
    assert len(chunks) == 10
    table = np.column_stack([scaler.transform(unequal.features.copy()), np.ones(90)])
    counts = row_weights(unequal.labels, class_weight)
    spared = np.append(np.full(12, 1 - step * alpha), 1.0)  # the penalty is not for the intercept
    for answer in range(1 if classes == 2 else 3):
        target = np.where(unequal.labels == (1 if classes == 2 else answer), 1.0, -1.0)
        weights, total = np.zeros(13), np.zeros(13)
        for row in np.concatenate(chunks):
            push = step * counts[row] * target[row] * expit(-target[row] * (table[row] @ weights))
            weights = spared * weights + push * table[row]
            total += weights
        learnt = [*descent.coef_[answer], descent.intercept_[answer]]
        assert learnt == pytest.approx(total / 180, rel=1e-3, abs=1e-4)


def test_sgd_reads_rows_larger_than_its_memory_one_by_one(
    unequal: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = select(unequal, np.arange(3))
    monkeypatch.setattr(sgd, "CHUNK_BYTES", 10)
    monkeypatch.setattr(examples, "RUN_BYTES", 1)

    chunks = list(sgd.shuffled_chunks(rows, np.random.default_rng(0)))

    assert all(len(chunk) == 1 for chunk in chunks)
    assert sorted(np.concatenate(chunks)) == list(range(90))


def test_sgd_leaves_constant_columns_alone(make_features: Callable[..., FeatureSet]) -> None:
    rows = make_features(np.full((8, 3), 5, np.float32), [0, 0, 0, 0, 0, 0, 1, 1])

    assert fit_head("sgd", rows).model.steps[0].scale_.tolist() == [1, 1, 1]
