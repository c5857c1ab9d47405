"""What answers for an estimator gives the estimator's own answers, and makes no import of scikit-learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sealed_records import rewrite

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.heads import fit_head, load_head, make_head, save_head, train_head
from pipeline.heads._core.saving import _sha256
from pipeline.heads._sklearn.counterparts import COUNTERPARTS, OneAgainstRest, Perceptron, counterpart
from pipeline.heads._sklearn.sklearn_head import SklearnHead
from pipeline.heads._sklearn.table import flat

NAMES = [name for name in registry.names(pipeline.heads) if isinstance(make_head(name, {}), SklearnHead)]
QUICK = {"trees": 3, "rounds": 3}


@pytest.fixture(params=[2, 3])
def blurred(request: pytest.FixtureRequest, make_features: Callable[..., FeatureSet]) -> FeatureSet:
    """150 rows of 12 columns whose classes overlap, a few of them far from all others."""
    random = np.random.default_rng(0)
    labels = np.arange(150) % request.param
    features = random.normal(size=(150, 12)) + 0.7 * labels[:, None] * (np.arange(12) % 2)
    features[:5] *= 1000
    return make_features(features.astype(np.float32), labels)


def quick(name: str) -> dict[str, object]:
    return {key: value for key, value in QUICK.items() if key in make_head(name, {}).__dataclass_fields__}


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_the_estimators(name: str, blurred: FeatureSet) -> None:
    model = fit_head(name, blurred, options=quick(name)).model
    scaler, *transformers, classifier = model.steps
    table = scaler.transform(flat(blurred.features))
    for step in transformers:
        table = step.transform(table)

    with np.errstate(over="ignore"):
        expected, found = classifier.predict_proba(table), model.predict_proba(blurred.features)

    assert found.dtype == expected.dtype
    # The exponential functions of SciPy and NumPy differ in the last digit; scikit-learn's naive Bayes rounds
    # the large logarithms of its rows once more.
    single = 1e-5 if name == "gaussian-nb" else 2e-7
    np.testing.assert_allclose(found, expected, rtol=0, atol=single if found.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_head_answers_bit_for_bit_and_can_be_saved_again(
    name: str, blurred: FeatureSet, tmp_path: Path
) -> None:
    trained = train_head(name, blurred, None, options=quick(name), runs=tmp_path)
    loaded = load_head(trained.folder)
    again = load_head(save_head(loaded, runs=tmp_path / "again").folder)

    expected = trained.predict_proba(blurred)
    assert np.array_equal(loaded.predict_proba(blurred), expected)
    assert np.array_equal(again.predict_proba(blurred), expected)
    if isinstance(trained.head, pipeline.heads.Layered):
        for mine, its in zip(
            trained.head.dense_layers(trained.model.steps[-1]),
            loaded.head.dense_layers(loaded.model.steps[-1]),
            strict=True,
        ):
            assert np.array_equal(mine.kernel, its.kernel)
            assert np.array_equal(mine.bias, its.bias)
            assert mine.activation == its.activation


def test_what_has_no_counterpart_answers_for_itself() -> None:
    assert counterpart(steps := (1, 2)) is steps
    for kind in COUNTERPARTS.values():
        assert dataclasses.is_dataclass(kind)


def test_an_attribute_that_is_not_there_is_named(blurred: FeatureSet, tmp_path: Path) -> None:
    trained = train_head("logreg", blurred, None, runs=tmp_path)
    scaler, classifier = trained.model.steps
    del classifier.intercept_
    skops.io.dump((scaler, classifier), trained.folder / "model.skops")
    rewrite(trained.folder / "head.json", sha256=_sha256(trained.folder / "model.skops"))

    with pytest.raises(CacheMismatchError, match=r"model.skops .*: its LogisticScores lacks intercept_"):
        load_head(trained.folder)


def test_a_perceptron_of_another_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="its activation is not relu"):
        Perceptron([], [], "tanh", np.arange(2)).predict_proba(np.ones((1, 2)))


def test_scores_beyond_all_bounds_are_certain() -> None:
    model = OneAgainstRest(np.array([[1e4]], np.float32), np.zeros(1, np.float32), np.arange(2))

    assert model.predict_proba(np.array([[-1], [1]], np.float32)).tolist() == [[1, 0], [0, 1]]
