"""An epoch in one traced loop does what Keras does batch by batch."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from pipeline.heads._keras.feeding import MemoryFeed
from pipeline.heads._keras.fitting import EpochLoop
from pipeline.runtimes.keras import import_keras

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


class InOrder(np.random.Generator):
    """Leaves every order as it is."""

    def permutation(self, n: int) -> np.ndarray:
        return np.arange(n)


@pytest.fixture
def rows() -> MemoryFeed:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(50, 6)), random.integers(0, 3, 50)
    return MemoryFeed(features.astype(np.float16), labels, random.uniform(0.5, 2, 50).astype(np.float32))


def build() -> object:
    keras = import_keras()
    keras.utils.set_random_seed(1)
    layers = keras.layers
    hidden = [layers.Dense(8, activation="relu"), layers.BatchNormalization()]
    return keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(3, activation="softmax")])


@pytest.mark.parametrize(
    ("optimizer", "compiled", "batch_size"),
    [
        ("RMSprop", False, 10),
        ("Adam", True, 64),
        pytest.param("Adam", False, 16, marks=pytest.mark.torture),
        pytest.param("RMSprop", True, 16, marks=pytest.mark.torture),
    ],
)
def test_equals_plain_fit(rows: MemoryFeed, optimizer: str, compiled: bool, batch_size: int) -> None:
    make = getattr(import_keras().optimizers, optimizer)
    plain, looped = build(), build()
    plain.compile(make(0.01), "sparse_categorical_crossentropy", weighted_metrics=[], jit_compile=False)
    history = plain.fit(
        rows.features.astype(np.float32),
        rows.labels,
        sample_weight=rows.weights,
        batch_size=batch_size,
        epochs=3,
        shuffle=False,
        verbose=0,
    ).history

    loop = EpochLoop(looped, make(0.01), dtype="float16", compiled=compiled)
    random = InOrder(np.random.PCG64(0))
    losses = [
        loop.run(rows.chunks(random, batch_size=batch_size), batch_size=batch_size)[0] for _ in range(3)
    ]

    assert losses == pytest.approx(history["loss"], rel=1e-4)
    for mine, theirs in zip(looped.get_weights(), plain.get_weights(), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-4)


def test_counts_right_answers_before_each_update(rows: MemoryFeed) -> None:
    # Batch norm takes the moments of the batch; the whole set is one batch, so these are what the loop sees.
    proba = np.asarray(build()(rows.features.astype(np.float32), training=True))

    loop = EpochLoop(build(), import_keras().optimizers.SGD(0.1), dtype="float16", compiled=False)
    _, accuracy = loop.run(rows.chunks(np.random.default_rng(0), batch_size=50), batch_size=50)

    assert accuracy == pytest.approx(np.mean(proba.argmax(axis=1) == rows.labels))


def test_the_average_follows_the_weights_step_by_step(rows: MemoryFeed) -> None:
    network = build()
    loop = EpochLoop(
        network, import_keras().optimizers.SGD(0.1), dtype="float16", compiled=False, average=0.8
    )
    expected = [variable.numpy() for variable in network.trainable_variables]
    for _ in range(3):  # a batch of all rows, so that an epoch is a step
        loop.run(rows.chunks(np.random.default_rng(0), batch_size=50), batch_size=50)
        steps = zip(expected, network.trainable_variables, strict=True)
        expected = [0.8 * mean + 0.2 * variable.numpy() for mean, variable in steps]

    before = network.get_weights()
    with loop.averaged():
        inside = [variable.numpy() for variable in network.trainable_variables]

    for mine, theirs in zip(inside, expected, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-5)
    assert all(map(np.array_equal, before, network.get_weights()))


def test_nothing_of_a_training_stays_in_memory(rows: MemoryFeed) -> None:
    from tensorflow.python.framework.func_graph import FuncGraph

    def train() -> None:
        loop = EpochLoop(build(), import_keras().optimizers.RMSprop(0.1), dtype="float16", compiled=False)
        loop.run(rows.chunks(np.random.default_rng(0), batch_size=10), batch_size=10)

    def graphs() -> int:
        gc.collect()
        return sum(isinstance(thing, FuncGraph) for thing in gc.get_objects())

    train()
    before = graphs()
    train()

    assert graphs() == before
