"""A head knows the images it has seen, whatever becomes of their names and splits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sealed_records import flipped, rewrite, unseal

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.heads import SeenImages, load_head, read_seen, save_head, train_head
from pipeline.heads._core.seen import KEPT

QUICK = {"dense": {"epochs": 1}, "finetune": {"epochs": 1, "head_epochs": 1, "weights": "random:0"}}

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.mark.parametrize("name", ["logreg", "knn", "sgd", "dense", "finetune"])
def test_a_saved_head_knows_its_rows(name: str, train: FeatureSet, valid: FeatureSet, tmp_path: Path) -> None:
    labels = np.where(np.arange(60) < 50, train.labels, -1).astype(np.int32)
    part = dataclasses.replace(train, rows=dataclasses.replace(train.rows, labels=labels))
    folder = train_head(name, part, valid, options=QUICK.get(name, {}), runs=tmp_path).folder

    for seen in (load_head(folder).seen, read_seen(folder)):
        assert seen.counts == (50, 30)
        assert seen.trained_on(train.rows.digests).tolist() == [True] * 50 + [False] * 10
        assert seen.validated_on(valid.rows.digests).all()
        assert not seen.trained_on(valid.rows.digests).any()
        assert not seen.validated_on(train.rows.digests).any()


def test_views_and_copies_are_one_image(train: FeatureSet) -> None:
    digests = train.rows.digests[np.arange(60) // 3]
    rows = dataclasses.replace(train.rows, digests=digests, views=(np.arange(60) % 3).astype(np.uint8))
    assert SeenImages.of(dataclasses.replace(train, rows=rows), None).counts == (20, 0)


def test_a_million_images_take_eight_megabytes() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (1_000_000, 32), np.uint8)
    known = np.unique(digests[:, :KEPT].copy().view("<u8").reshape(-1))
    seen = SeenImages(known, known[:0])
    assert len(seen.to_bytes()) == 8_000_000
    assert seen.trained_on(digests).all()
    digests[:, KEPT - 1] ^= 1
    assert not seen.trained_on(digests).any()
    assert not seen.validated_on(digests).any()
    assert seen.trained_on(digests[:0]).shape == (0,)


def test_every_bit_is_sealed(train: FeatureSet, tmp_path: Path) -> None:
    folder = train_head("prototype", train, None, runs=tmp_path).folder
    path = folder / "seen.bin"
    for bit in range(0, 8 * path.stat().st_size, 7):
        with (
            flipped(path, bit),
            pytest.raises(CacheMismatchError, match=r"seen.bin is damaged.*SHA-256.*--head prototype"),
        ):
            read_seen(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "seen.bin").unlink(), "seen.bin is damaged or foreign: .*No such file"),
        (lambda folder: described(folder, counts=[1, 0]), "it does not hold 1 and 0 images"),
        (lambda folder: described(folder, counts=[-1, 61]), "it does not hold -1 and 61 images"),
        (lambda folder: described(folder, counts=[60]), "seen.bin is damaged or foreign"),
        (lambda folder: described(folder, counts="x"), "seen.bin is damaged or foreign"),
        (lambda folder: described(folder, counts=[59, 1]), None),
        (lambda folder: rewrite(folder / "head.json", seen=[]), "seen.bin is damaged or foreign"),
        (lambda folder: unseal(folder / "head.json"), "head.json is damaged .* its seal is missing"),
    ],
)
def test_damage_is_refused(
    damage: Callable[[Path], None], message: str | None, train: FeatureSet, tmp_path: Path
) -> None:
    folder = train_head("prototype", train, None, runs=tmp_path).folder
    damage(folder)
    if message is None:
        assert load_head(folder).seen.counts == (59, 1)
        return
    for read in (load_head, read_seen):
        with pytest.raises(CacheMismatchError, match=message):
            read(folder)


def described(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "head.json").read_text())
    rewrite(folder / "head.json", seen=record["seen"] | changes)


def test_images_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="its images are not in order"):
        SeenImages.of_bytes(np.array([2, 1], "<u8").tobytes(), (2, 0))


def test_a_head_of_the_version_before_does_not_know(train: FeatureSet, tmp_path: Path) -> None:
    folder = train_head("prototype", train, None, runs=tmp_path).folder
    unseal(folder / "head.json", "seen", "temperature", "familiarity")
    (folder / "seen.bin").unlink()
    old = load_head(folder)
    assert old.seen is None
    assert read_seen(folder) is None
    assert load_head(save_head(old, runs=tmp_path / "again").folder).seen is None
