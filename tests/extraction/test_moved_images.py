"""Images move from a folder into tar shards and back: nothing is computed twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from counting_engine import BACKBONE, CountingEngine
from photos import Photos
from tar_shards import settle, write_tar

from pipeline.cache import open_features
from pipeline.extraction import Extraction, FeatureRequest, extract


@pytest.fixture
def packed(photos: Photos, tmp_path: Path) -> Path:
    """The photographs in two shards a split; returns their folder."""
    for split in ("train", "val", "test"):
        for kind in ("cat", "dog"):
            photos.add(f"{split}/{kind}", 3)
        files = photos.files(split)
        for number in range(2):
            members = {path.relative_to(photos.root / split).as_posix(): path for path in files[number::2]}
            shard = tmp_path / "shards" / f"{split}-{number}.tar"
            settle(write_tar(shard, {name: path.read_bytes() for name, path in members.items()}))
    return tmp_path / "shards"


def run(data: object, cache: Path) -> Extraction:
    (extraction,) = extract(str(data), FeatureRequest(**({"batch_size": 4} | BACKBONE)), cache=cache)
    return extraction


def rows(extraction: Extraction, split: str) -> dict[bytes, tuple[bytes, str]]:
    """Returns features and class of each image by its digest."""
    features = open_features(extraction.entry, split)
    classes = [features.classes[label] for label in features.labels]
    return {
        digest.tobytes(): (row.tobytes(), name)
        for digest, row, name in zip(features.rows.digests, features.to_memory(), classes, strict=True)
    }


def test_rows_are_reused_between_folder_and_shards(
    photos: Photos, packed: Path, engine: CountingEngine, cache: Path
) -> None:
    first = run(photos.root, cache)
    computed = engine.seen.total()
    second = run(f"{packed}/*.tar", cache)
    third = run(f"{packed}/*.tar", cache)
    assert engine.seen.total() == computed
    for split in ("train", "val", "test"):
        assert rows(first, split) == rows(second, split) == rows(third, split)
        assert len(rows(second, split)) == 6
    assert list(open_features(second.entry, "val").rows.ids)[:2] == [
        f"val-0.tar/cat/{photos.files('val')[0].name}",
        f"val-0.tar/cat/{photos.files('val')[2].name}",
    ]


def test_a_shard_more_computes_its_own_images_only(
    photos: Photos, packed: Path, engine: CountingEngine, cache: Path
) -> None:
    run(f"{packed}/*.tar", cache)
    computed = engine.seen.total()
    new = {f"cat/new-{number}.png": photos.write(f"more/{number}.png").read_bytes() for number in range(2)}
    settle(write_tar(packed / "train-2.tar", new))
    more = run(f"{packed}/*.tar", cache)
    assert engine.seen.total() == computed + 2
    assert len(rows(more, "train")) == 8
