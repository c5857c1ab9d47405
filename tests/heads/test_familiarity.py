"""What is like the training is told from what is not, at the rate of false alarms that is stated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sealed_records import rewrite

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.heads import Familiarity, load_head, save_head, train_head
from pipeline.heads._core import familiarity

Make = Callable[..., FeatureSet]


def around(direction: int, rows: int, seed: int) -> np.ndarray:
    """Draws rows (rows, 8) float16 near one axis."""
    drawn = np.abs(np.random.default_rng(seed).normal(scale=0.3, size=(rows, 8)))
    drawn[:, direction] += 3
    return drawn.astype(np.float16)


@pytest.fixture
def near(make_features: Make) -> Callable[..., FeatureSet]:
    """Makes a split of two classes, each near an axis."""

    def make(split: str, rows: int) -> FeatureSet:
        both = np.concatenate([around(0, rows, len(split)), around(1, rows, len(split) + 9)])
        return make_features(both, np.repeat([0, 1], rows), split=split)

    return make


def test_images_of_another_kind_are_unfamiliar(near: Callable[..., FeatureSet]) -> None:
    found = Familiarity.of(near("train", 100), near("val", 150))
    assert (found.val_rows, found.rate) == (300, 3 / 301)
    val = found.measure(near("val", 150).to_memory())
    assert np.count_nonzero(val < found.threshold) == 2  # the third lowest is the threshold
    new = found.measure(np.concatenate([around(0, 200, 50), around(1, 200, 51)]))
    assert np.mean(new < found.threshold) < 0.05
    assert (found.measure(around(5, 50, 52)) < found.threshold).all()
    assert found.measure(np.zeros((1, 8), np.float16)).tolist() == [0]
    assert found.measure(np.zeros((0, 8), np.float16)).shape == (0,)


def test_familiarity_is_the_mean_cosine_to_the_nearest(near: Callable[..., FeatureSet]) -> None:
    train = near("train", 20)
    found = Familiarity.of(train, near("val", 20))
    rows = train.to_memory().astype(float)
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.sort(units @ units[7])[::-1]
    expected = cosines[: familiarity.NEAREST].mean()
    assert found.measure(train.to_memory()[7:8])[0] == pytest.approx(expected, abs=1e-3)


def test_only_new_labelled_images_of_known_classes_tell_the_threshold(
    near: Callable[..., FeatureSet],
) -> None:
    train, valid = near("train", 20), near("val", 20)
    labels, views, digests = valid.labels.copy(), np.zeros(40, np.uint8), valid.rows.digests.copy()
    labels[:3], views[3:8], digests[8:10] = -1, 1, train.rows.digests[:2]
    part = replace(valid, rows=replace(valid.rows, labels=labels, views=views, digests=digests))
    assert Familiarity.of(train, part).val_rows == 30
    only_one = replace(train, rows=replace(train.rows, labels=np.where(train.labels == 0, 0, -1)))
    found = Familiarity.of(only_one, valid)
    assert (len(found.known), found.val_rows) == (20, 20)


def test_too_few_val_images_tell_nothing(near: Callable[..., FeatureSet]) -> None:
    assert Familiarity.of(near("train", 20), None) is None
    assert Familiarity.of(near("train", 20), near("val", 9)) is None
    assert Familiarity.of(near("train", 20), near("val", 10)).rate == pytest.approx(1 / 21)


def test_of_many_images_a_sample_is_kept(
    near: Callable[..., FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(familiarity, "MOST_BYTES", 10 * 8 * 2)
    assert len(Familiarity.of(near("train", 20), near("val", 20)).known) == 10


def test_it_travels_with_the_head(near: Callable[..., FeatureSet], tmp_path: Path) -> None:
    train, valid = near("train", 20), near("val", 20)
    saved = train_head("prototype", train, valid, runs=tmp_path)
    loaded = load_head(saved.folder)
    asked = np.concatenate([around(0, 5, 60), around(6, 5, 61)])
    assert np.array_equal(loaded.familiarity.measure(asked), saved.familiarity.measure(asked))
    assert loaded.familiarity.rule == saved.familiarity.rule
    save_head(replace(saved, familiarity=None), runs=tmp_path)
    assert not (saved.folder / "familiar.bin").exists()
    assert load_head(saved.folder).familiarity is None


@pytest.mark.parametrize(
    ("changes", "content", "message"),
    [
        ({"rows": 39}, None, "does not hold 39 descriptions"),
        ({"rows": -40}, None, "does not hold -40"),
        ({"shapes": [[9]]}, None, "other shapes"),
        ({"shapes": []}, None, "other shapes"),
        ({"threshold": 2.0}, None, "no cosines"),
        ({"rate": 0}, None, "no cosines"),
        ({}, b"familiar" + b"\xff" * (40 * 8 * 2), "no cosines"),
        ({}, b"familiar", "does not hold 40 descriptions"),
    ],
)
def test_what_cannot_be_is_refused(
    changes: dict[str, object],
    content: bytes | None,
    message: str,
    near: Callable[..., FeatureSet],
    tmp_path: Path,
) -> None:
    saved = train_head("prototype", near("train", 20), near("val", 20), runs=tmp_path)
    file = saved.folder / "familiar.bin"
    if content is not None:
        file.write_bytes(content)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    record = saved.familiarity.to_json() | changes | {"sha256": digest}
    rewrite(saved.folder / "head.json", familiarity=record)
    with pytest.raises(CacheMismatchError, match=message):
        load_head(saved.folder)


def test_other_bytes_than_were_saved_are_refused(near: Callable[..., FeatureSet], tmp_path: Path) -> None:
    folder = train_head("prototype", near("train", 20), near("val", 20), runs=tmp_path).folder
    content = bytearray((folder / "familiar.bin").read_bytes())
    content[20] ^= 1
    (folder / "familiar.bin").write_bytes(content)
    with pytest.raises(CacheMismatchError, match="SHA-256 is not the one"):
        load_head(folder)
