"""Splits of pictures that are more than noise, with features of the counting engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from photos import Photos, scene
from PIL import Image

from pipeline.cache import FeatureSet, find_entries, open_features

Splits = dict[str, FeatureSet]
Save = Callable[..., Path]


@pytest.fixture
def save(photos: Photos) -> Save:
    """Writes a picture into the folder of the data set."""

    def save(picture: Image.Image, name: str, **options: object) -> Path:
        path = photos.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, **options)
        return path

    return save


@pytest.fixture
def scenes(save: Save) -> Callable[[int], Image.Image]:
    """Makes ten training, four validation and five test pictures; returns the maker of any of them."""
    counts = {"train": range(10), "val": range(10, 14), "test": range(14, 19)}
    for split, numbers in counts.items():
        for number in numbers:
            save(scene(number), f"{split}/{'cats' if number % 2 else 'dogs'}/{number:02d}.jpg", quality=90)
    return scene


@pytest.fixture
def stored(run: Callable[..., object], cache: Path) -> Callable[[], Splits]:
    """Runs stage one and opens every split."""

    def stored() -> Splits:
        run()
        (entry,) = find_entries(cache)
        return {split: open_features(entry, split) for split in entry.splits}

    return stored
