"""What the Keras heads share: scaling on training rows, early stopping, weights-only files."""

from __future__ import annotations

import json
from collections.abc import Callable

import h5py
import numpy as np
import pytest
from sealed_records import rewrite

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.heads import TrainedHead, fit_head, load_head
from pipeline.heads._keras.fitting import rank
from pipeline.heads._keras.network import SCALING, channel_moments

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

QUICK = {"epochs": 15, "learning_rate": 0.01}


def test_stops_early_with_the_best_weights(
    train: FeatureSet,
    valid: FeatureSet,
    make_features: Callable[..., FeatureSet],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Validation labels at odds with the training rows: every epoch after the first makes them worse.
    contrary = make_features(valid.features, (valid.labels + 1) % 3, split="val", classes=valid.classes)

    trained = fit_head("dense", train, contrary, options=QUICK | {"patience": 2})

    assert len(trained.history["val_loss"]) == 3
    assert "epoch 1 of 3 is kept: val loss" in capsys.readouterr().err
    proba = trained.predict_proba(contrary)
    loss = -np.log(proba[np.arange(30), contrary.labels]).mean()
    assert loss == pytest.approx(min(trained.history["val_loss"]), rel=1e-4)


@pytest.mark.parametrize("keep", ["loss", "accuracy"])
@pytest.mark.parametrize("average", [0.0, 0.5])
def test_keeps_the_epoch_that_is_asked_for(
    keep: str, average: float, train: FeatureSet, valid: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    # Every fifth label is wrong: the surer a network grows of the others, the more those cost.
    labels = np.where(np.arange(len(valid)) % 5 == 0, (valid.labels + 1) % 3, valid.labels)
    noisy = make_features(valid.features, labels, split="val", classes=valid.classes)

    trained = fit_head(
        "dense", train, noisy, options=QUICK | {"patience": 15, "keep": keep, "average": average}
    )

    losses, hits = trained.history["val_loss"], trained.history["val_accuracy"]
    best = int(np.argmin(losses)) if keep == "loss" else min(range(15), key=lambda i: (-hits[i], losses[i]))
    proba = trained.predict_proba(noisy)
    loss = -np.log(proba[np.arange(30), noisy.labels]).mean()
    assert loss == pytest.approx(losses[best], rel=1e-4)


def test_accuracy_may_outweigh_the_loss() -> None:
    sound, sure, surer = (0.5, 0.9), (0.6, 0.95), (0.7, 0.95)
    assert sorted([surer, sure, sound], key=lambda one: rank(*one, "loss")) == [sound, sure, surer]
    assert sorted([surer, sure, sound], key=lambda one: rank(*one, "accuracy")) == [sure, surer, sound]


def test_without_validation_rows_all_epochs_run(
    train: FeatureSet, valid: FeatureSet, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = fit_head("dense", train, options={"epochs": 3, "patience": 1})

    captured = capsys.readouterr()
    assert len(trained.history["loss"]) == 3
    assert "no validation rows, so training runs for 3 epochs and the last" in captured.err
    assert "epoch 1/3  loss" in captured.err
    assert "epoch 3/3" in captured.err
    assert captured.out == ""


def test_divergence_is_one_clear_line(train: FeatureSet) -> None:
    with pytest.raises(PipelineError, match=r"diverged: the loss of epoch \d+ is .*--set learning_rate"):
        fit_head("dense", train, options={"learning_rate": 1e38, "epochs": 5})


def test_scaling_is_that_of_the_training_rows(
    train: FeatureSet, saved_copy: Callable[..., TrainedHead]
) -> None:
    saved = saved_copy("dense", epochs=1)
    rows = train.features.astype(np.float64)

    for trained in (saved, load_head(saved.folder)):
        layer = trained.model.network.get_layer(SCALING)
        scaled = np.asarray(layer(train.features.astype(np.float32)))
        spread = np.where(np.isin(np.arange(8), [5, 6]), 1, rows.std(axis=(0, 1, 2)))
        assert scaled == pytest.approx((rows - rows.mean(axis=(0, 1, 2))) / spread, abs=1e-4)


@pytest.mark.parametrize("shape", [(7, 4), (600, 2, 2, 4), (1, 4)])
def test_moments_equal_those_of_numpy(shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(100, 5, shape).astype(np.float32)
    features[..., 1] = 0.1
    axes = tuple(range(len(shape) - 1))

    mean, variance, rows = channel_moments(np.array_split(features, min(len(features), 3)))

    expected = features.astype(np.float64).var(axis=axes)
    assert mean == pytest.approx(features.astype(np.float64).mean(axis=axes), rel=1e-6)
    assert variance == pytest.approx(np.where(expected < 1e-20, 1, expected), rel=1e-5)
    assert variance[1] == 1
    assert rows == len(features)


def test_file_holds_weights_only(saved_copy: Callable[..., TrainedHead]) -> None:
    folder = saved_copy("dense", epochs=1).folder

    with h5py.File(folder / "model.weights.h5") as file:
        groups = [name for name in file if len(file[name])]
    assert groups == ["layers"]


def test_weights_of_another_shape_are_refused(saved_copy: Callable[..., TrainedHead]) -> None:
    folder = saved_copy("dense", epochs=1).folder
    record = json.loads((folder / "head.json").read_text())
    rewrite(folder / "head.json", options=record["options"] | {"units": 8})

    with pytest.raises(
        CacheMismatchError,
        match=r"model.weights.h5 .*: its weights are not those of .*train-head --head dense",
    ):
        load_head(folder)
