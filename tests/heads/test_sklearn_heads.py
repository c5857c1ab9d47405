"""What the scikit-learn heads share: notes instead of warnings, and files that hold data only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.heads import fit_head, load_head, train_head


def plant(folder: Path, content: bytes) -> None:
    """Puts another model into a saved head, with the checksum that goes with it."""
    record = json.loads((folder / "head.json").read_text())
    (folder / "model.skops").write_bytes(content)
    record["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "head.json").write_text(json.dumps(record))


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
    plant(folder, skops.io.dumps(make_pipeline(StandardScaler(), step)))

    with pytest.raises(CacheMismatchError, match=f"model.skops .*({named}).* which this head never saves"):
        load_head(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (skops.io.dumps({"C": 1.0}), "it holds a dict, not this head's estimator"),
        (b"not a zip archive", "it is no skops file"),
    ],
)
def test_refuses_what_is_no_estimator(
    content: bytes, message: str, train: FeatureSet, tmp_path: Path
) -> None:
    folder = train_head("logreg", train, None, runs=tmp_path).folder
    plant(folder, content)

    with pytest.raises(CacheMismatchError, match=message):
        load_head(folder)
