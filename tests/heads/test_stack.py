"""A stack of plain layers answers by NumPy what it answers by Keras, and reads no other file than its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.heads import TrainedHead, fit_head, load_head, make_head, save_head
from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import KerasHead
from pipeline.heads._keras.layers import Convolution, Dense, Dropout, Flatten, Scaling
from pipeline.heads._keras.network import forward_pass
from pipeline.heads._keras.stack import BLOCK_ROWS, StackModel, plain_stack, read_arrays

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

SAME = 1e-6
"""Difference of a probability that rounding in single precision makes."""
KERAS = [name for name in registry.names(pipeline.heads) if isinstance(make_head(name, {}), KerasHead)]
BY_KERAS = {"cnn", "cnn-cifar", "finetune"}
QUICK = {"epochs": 3, "units": 16}


def quick(name: str) -> dict[str, object]:
    options = QUICK | ({"units": (16, 8)} if name == "ann" else {})
    return {key: value for key, value in options.items() if key in make_head(name, {}).__dataclass_fields__}


@pytest.mark.parametrize("name", [name for name in KERAS if name not in BY_KERAS])
def test_numpy_answers_what_keras_answers(
    name: str, train: FeatureSet, make_toy: Callable[..., FeatureSet]
) -> None:
    trained = fit_head(name, train, options=quick(name))
    rows = make_toy("test", rows=BLOCK_ROWS + 44).to_memory()

    by_numpy, by_keras = trained.model.predict_proba(rows), forward_pass(trained.model.network)(rows)

    assert isinstance(trained.model, StackModel)
    assert by_numpy.dtype == np.float32
    np.testing.assert_allclose(by_numpy, by_keras, rtol=0, atol=SAME)


@pytest.mark.parametrize("name", sorted(BY_KERAS - {"finetune"}))
def test_convolutions_are_left_to_keras(name: str, make_toy: Callable[..., FeatureSet]) -> None:
    task = Task(make_toy().spec, (64, 64, 3), 2)

    assert plain_stack(make_head(name, {}).layers(task)) is None
    assert plain_stack([Flatten(), Convolution(3)]) is None


@pytest.mark.parametrize("name", ["dense", "dense-256-128"])
def test_a_network_of_keras_is_made_where_it_is_asked_for(
    name: str, saved_copy: Callable[..., TrainedHead], tmp_path: Path, valid: FeatureSet
) -> None:
    loaded = load_head(saved_copy(name, epochs=1).folder)
    rows = valid.to_memory()

    answers = forward_pass(loaded.head.to_network(loaded.model, loaded.task))(rows)

    np.testing.assert_allclose(answers, loaded.model.predict_proba(rows), rtol=0, atol=SAME)
    again = load_head(save_head(loaded, runs=tmp_path / "again").folder)
    assert np.array_equal(again.predict_proba(valid), loaded.predict_proba(valid))


@pytest.mark.parametrize(
    "stack",
    [
        [Scaling(), Flatten(), Dense(4), Dropout(0.5), Dense(4, "softmax")],
        [Scaling(), Flatten(), Dense(4), Dropout(0.5)],
        [Scaling(), Flatten(), Dense(4), Dense(4), Dropout(0.5), Dense(3, "softmax")],
        [Flatten(), Dense(4), Dropout(0.5), Dense(3, "softmax")],
    ],
    ids=["other width", "too few", "too many", "no scaling"],
)
def test_weights_of_another_stack_are_refused(
    stack: list[object], saved_copy: Callable[..., TrainedHead]
) -> None:
    file = saved_copy("dense", epochs=1, units=4).folder / "model.weights.h5"

    with pytest.raises(ValueError, match="its weights are not those of the network"):
        read_arrays(file, stack, (2, 2, 8))


def test_weights_that_are_no_numbers_are_refused(saved_copy: Callable[..., TrainedHead]) -> None:
    trained = saved_copy("dense", epochs=1, units=4)
    file = trained.folder / "model.weights.h5"
    with h5py.File(file, "r+") as opened:
        del opened["layers/dense/vars/1"]
        opened["layers/dense/vars/1"] = np.array([b"a"] * 4)

    with pytest.raises(ValueError, match="could not convert"):
        read_arrays(file, plain_stack(trained.head.layers(trained.task)), trained.task.feature_shape)
