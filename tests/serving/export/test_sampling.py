"""The images that an export is checked on are those that made the features, or none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache.features import Selection
from pipeline.heads import TrainedHead
from pipeline.images import open_images
from pipeline.serving.export import sample_rows

Train = Callable[..., tuple[TrainedHead, Selection]]


@pytest.fixture
def images(crops: Path, tmp_path: Path) -> Path:
    """A copy of the photographs that a test may change."""
    return Path(shutil.copytree(crops, tmp_path / "copy"))


@pytest.mark.parametrize(("count", "found"), [(1, 1), (5, 5), (16, 16), (100, 16)])
def test_rows_are_spread_over_the_split(count: int, found: int, train: Train, crops: Path) -> None:
    trained, chosen = train("logreg")

    sample = sample_rows(trained, chosen.open("test"), open_images(str(crops)), count=count)

    assert sample.images.shape == (found, 32, 32, 3)
    assert sample.images.dtype == np.uint8
    assert sample.probabilities.shape == (found, 2)
    assert sample.split == "test"


def test_changed_and_absent_images_are_passed_over(train: Train, images: Path) -> None:
    trained, chosen = train("logreg")
    china, flower = sorted(images.glob("test/china/*")), sorted(images.glob("test/flower/*"))
    china[0].write_bytes(flower[0].read_bytes())
    china[1].unlink()
    china[2].write_bytes(b"no image")

    sample = sample_rows(trained, chosen.open("test"), open_images(str(images)), count=16)

    assert len(sample.images) == 13
    whole = trained.predict_proba(chosen.open("test"))
    np.testing.assert_array_equal(sample.probabilities, whole[3:])


def test_views_are_no_images(train: Train, crops: Path) -> None:
    trained, chosen = train("logreg", views=2)
    features = chosen.open("train")
    assert len(features) == 54

    sample = sample_rows(trained, features, open_images(str(crops)), count=100)

    assert len(sample.images) == 18


def test_without_one_image_there_is_no_sample(train: Train, images: Path) -> None:
    trained, chosen = train("logreg")
    for file in images.glob("test/*/*"):
        file.write_bytes(b"no image")

    assert sample_rows(trained, chosen.open("test"), open_images(str(images)), count=16) is None
