"""Rows reach a network from memory or from disk, each once an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import fit_head
from pipeline.heads._core import examples
from pipeline.heads._core.examples import select
from pipeline.heads._keras import feeding
from pipeline.heads._keras.feeding import MemoryFeed, StreamFeed, open_feeds
from pipeline.heads._keras.fitting import measure

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

ROW_BYTES = 64  # (2, 2, 8) float16


@pytest.fixture
def short_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "available_bytes", lambda: int(40 * ROW_BYTES / feeding.MEMORY_SHARE) + 1)
    monkeypatch.setattr(examples, "RUN_BYTES", 2 * ROW_BYTES)
    monkeypatch.setattr(feeding, "BLOCK_ROWS", 16)


def stream(train: FeatureSet, chunk_rows: int) -> StreamFeed:
    rows = select(train, np.arange(3))
    return StreamFeed(rows, np.arange(60, dtype=np.float32), chunk_rows * ROW_BYTES)


@pytest.mark.parametrize(("chunk_rows", "sizes"), [(0, [8] * 7 + [4]), (20, [16, 16, 16, 12]), (99, [60])])
def test_streams_every_row_once_in_whole_batches(
    chunk_rows: int, sizes: list[int], train: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "RUN_BYTES", 2 * ROW_BYTES)
    chunks = list(stream(train, chunk_rows).chunks(np.random.default_rng(0), batch_size=8))

    assert [len(chunk.order) for chunk in chunks] == sizes
    positions = np.concatenate([chunk.weights.numpy() for chunk in chunks]).astype(int)
    assert sorted(positions) == list(range(60))
    assert positions.tolist() != sorted(positions)
    for chunk in chunks:
        index = chunk.weights.numpy().astype(int)
        assert np.array_equal(chunk.features.numpy(), train.features[index])
        assert np.array_equal(chunk.labels.numpy(), train.labels[index])
        assert sorted(chunk.order) == list(range(len(index)))


def test_order_follows_from_the_seed(train: FeatureSet) -> None:
    first, second, other = (
        [
            chunk.weights.numpy()[chunk.order].tolist()
            for chunk in stream(train, 20).chunks(np.random.default_rng(seed), batch_size=8)
        ]
        for seed in (1, 1, 2)
    )

    assert first == second
    assert first != other


@pytest.mark.parametrize("streamed", [False, True])
def test_an_epoch_shows_one_row_of_each_image(
    streamed: bool, train: FeatureSet, request: pytest.FixtureRequest
) -> None:
    if streamed:
        request.getfixturevalue("short_of_memory")
    digests = train.rows.digests.copy()
    digests[1::3] = digests[2::3] = digests[::3]  # 20 images with two views each
    seen = dataclasses.replace(train, rows=dataclasses.replace(train.rows, digests=digests))
    rows, _ = open_feeds(select(seen, np.arange(3)), None, class_weight=None, views="one")
    random = np.random.default_rng(0)

    epochs = []
    for _ in range(30):
        shown = [
            chunk.features.numpy()[chunk.order].reshape(len(chunk.order), -1)[:, 0]
            for chunk in rows.chunks(random, batch_size=8)
        ]
        epochs.append(np.concatenate(shown))
    first = train.features.reshape(60, -1)[:, 0].tolist()
    shown = [np.array([first.index(value) for value in epoch]) for epoch in epochs]

    assert isinstance(rows, StreamFeed) == streamed
    assert len(set(first)) == 60
    assert all(sorted(epoch // 3) == list(range(20)) for epoch in shown)
    assert set(np.concatenate(shown)) == set(range(60))
    assert shown[0].tolist() != shown[1].tolist()


@pytest.mark.usefixtures("short_of_memory")
def test_larger_than_memory_is_never_read_whole(
    train: FeatureSet,
    valid: FeatureSet,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes = []
    read = FeatureSet.read
    monkeypatch.setattr(FeatureSet, "read", lambda self, index: sizes.append(len(index)) or read(self, index))

    rows, held_out = open_feeds(select(train, np.arange(3)), select(valid, np.arange(3)), class_weight=None)
    list(rows.chunks(np.random.default_rng(0), batch_size=8))
    list(held_out.blocks())

    assert isinstance(rows, StreamFeed)
    assert max(sizes) <= 16
    assert "streaming" in capsys.readouterr().err


@pytest.mark.usefixtures("short_of_memory")
@pytest.mark.parametrize(("name", "more"), [("dense", {}), ("finetune", {"head_epochs": 5})])
def test_learns_from_a_stream(
    name: str, more: dict[str, int], train: FeatureSet, valid: FeatureSet, make_toy: Callable[..., FeatureSet]
) -> None:
    options = {"epochs": 15, "learning_rate": 0.01} | more
    first, second = (fit_head(name, train, valid, options=options, seed=3) for _ in range(2))

    test = make_toy("test", rows=31)
    proba = first.predict_proba(test)

    assert np.mean(proba.argmax(axis=1) == test.labels) >= 0.9
    assert np.array_equal(proba, second.predict_proba(test))


def test_reads_whole_what_fits(train: FeatureSet) -> None:
    rows, held_out = open_feeds(select(train, np.arange(3)), None, class_weight=None)

    assert isinstance(rows, MemoryFeed)
    assert held_out is None
    assert (rows.weights == 1).all()


def test_balanced_classes_weigh_the_same(
    train: FeatureSet, valid: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    """What a class counts follows from its training rows, on validation rows as well."""
    labels = np.repeat([0, 1, 2], [40, 15, 5])
    learnt, asked = select(make_features(train.features, labels), np.arange(3)), select(valid, np.arange(3))

    rows, held_out = open_feeds(learnt, asked, class_weight="balanced")

    assert np.bincount(labels, rows.weights) == pytest.approx([20, 20, 20])
    assert held_out.weights == pytest.approx(np.array([0.5, 20 / 15, 4])[valid.labels])


def test_losses_count_what_their_rows_weigh() -> None:
    class Stored:
        """Answers with the features."""

        @staticmethod
        def predict_proba(features: np.ndarray) -> np.ndarray:
            return features

    proba = np.array([[0.5, 0.5], [0.75, 0.25], [0.2, 0.8], [0, 1]])
    rows = MemoryFeed(proba, np.array([0, 0, 1, 0]), np.array([1, 1, 4, 2]))

    loss, accuracy = measure(Stored, rows)

    expected = -(np.log(0.5) + np.log(0.75) + 4 * np.log(0.8) + 2 * np.log(1e-7)) / 4
    assert loss == pytest.approx(expected)
    assert accuracy == 0.75
