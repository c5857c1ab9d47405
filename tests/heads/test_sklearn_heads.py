"""What the scikit-learn heads share: notes instead of warnings, weights of classes, files of data only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sealed_records import rewrite
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.heads import describe_head, fit_head, load_head, make_head, train_head
from pipeline.heads._core.class_balance import row_weights
from pipeline.heads._sklearn.sklearn_head import SklearnHead

BALANCING = [
    name
    for name in registry.names(pipeline.heads)
    if isinstance(make_head(name, {}), SklearnHead)
    and "class_weight" in {option.name for option in describe_head(name).options}
]


def plant(folder: Path, content: bytes) -> None:
    """Puts another model into a saved head, with the checksum that goes with it."""
    (folder / "model.skops").write_bytes(content)
    rewrite(folder / "head.json", sha256=hashlib.sha256(content).hexdigest())


def test_unfinished_solver_is_a_note_that_names_max_iter(
    train: FeatureSet, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = fit_head("logreg", train, options={"max_iter": 1})

    captured = capsys.readouterr()
    assert "not converged after max_iter=1 iterations; `--set max_iter=10`" in captured.err
    assert captured.out == ""
    assert trained.predict_proba(train).shape == (60, 3)


def test_finished_solver_says_nothing(train: FeatureSet, capsys: pytest.CaptureFixture[str]) -> None:
    fit_head("logreg", train)

    assert capsys.readouterr().err == ""


def test_training_leaves_the_features_as_they_are(train: FeatureSet) -> None:
    before = train.features.copy()

    fit_head("logreg", train).predict_proba(train)

    assert np.array_equal(train.features, before)


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (FunctionTransformer(func=np.exp), "numpy.exp|FunctionTransformer"),
        (KNeighborsClassifier(), "sklearn.neighbors._classification.KNeighborsClassifier"),
        (np.random.default_rng(0), "numpy.random._generator.Generator"),
    ],
)
def test_refuses_types_that_the_head_never_saves(
    step: object, named: str, train: FeatureSet, tmp_path: Path
) -> None:
    folder = train_head("logreg", train, None, runs=tmp_path).folder
    plant(folder, skops.io.dumps((StandardScaler(), step)))

    with pytest.raises(CacheMismatchError, match=f"model.skops .*({named}).* which this head never saves"):
        load_head(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (skops.io.dumps({"C": 1.0}), "it holds a dict, not a scaler and what follows it"),
        (skops.io.dumps((1, 2)), "it holds a tuple, not a scaler and what follows it"),
        (b"not a zip archive", "it is no skops file"),
    ],
    ids=["dict", "tuple", "no archive"],  # the bytes are others in each process
)
def test_refuses_what_is_no_estimator(
    content: bytes, message: str, train: FeatureSet, tmp_path: Path
) -> None:
    folder = train_head("logreg", train, None, runs=tmp_path).folder
    plant(folder, content)

    with pytest.raises(CacheMismatchError, match=message):
        load_head(folder)


@pytest.mark.parametrize("name", BALANCING)
def test_balanced_classes_raise_the_rare_one(name: str, make_features: Callable[..., FeatureSet]) -> None:
    random = np.random.default_rng(0)
    labels = (np.arange(220) % 11 == 0).astype(int)
    features = random.normal(size=(220, 6)) + 0.8 * labels[:, None]
    rows = make_features(features.astype(np.float32), labels)
    asked = make_features((random.normal(size=(500, 6)) + 0.4).astype(np.float32), np.zeros(500))
    # Grown to the last row, a forest tells all rows apart whatever they count.
    options = {"min_samples_leaf": 10} if name == "random-forest" else {}

    plain, balanced = (
        fit_head(name, rows, options=options | {"class_weight": weight}).predict_proba(asked)[:, 1]
        for weight in ("none", "balanced")
    )

    assert np.mean(balanced > 0.5) > np.mean(plain > 0.5)


def test_balanced_rows_count_by_class() -> None:
    assert row_weights(np.array([0, 0, 0, 1]), "balanced") == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    assert row_weights(np.array([0, 0, 0, 1]), None) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("name", ["linear-svm", "svm-rbf", "prototype", "ridge"])
def test_single_row_of_a_class_is_learnt(name: str, make_features: Callable[..., FeatureSet]) -> None:
    features = np.eye(8, dtype=np.float32) + np.array([0, 0, 0, 0, 0, 0, 0, 5], np.float32)[:, None]
    rows = make_features(features, [0, 0, 0, 0, 0, 0, 0, 1])

    assert np.isfinite(fit_head(name, rows).predict_proba(rows)).all()
