"""What stage one left on disk, compared with what the images themselves say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from counting_engine import expected_row
from photos import Photos

from pipeline.cache import open_features
from pipeline.extraction import Extraction

LAYER = "block5_pool"


@pytest.fixture
def assert_complete(photos: Photos) -> Callable[..., None]:
    """Asserts that an entry holds exactly the photographs, each with its own features and label."""

    def check(extraction: Extraction, without: tuple[Path, ...] = ()) -> None:
        entry = extraction.entry
        for split in entry.splits:
            files = [path for path in photos.files(split) if path not in without]
            features = open_features(entry, split)
            assert list(features.rows.ids) == [str(path.relative_to(photos.root)) for path in files]
            assert [features.classes[label] for label in features.labels] == [f.parent.name for f in files]
            expected = np.array([expected_row(path, entry.spec.layer) for path in files])
            np.testing.assert_array_equal(features.to_memory(), expected.astype(entry.spec.store))
        assert {path.parts[-3] for path in photos.root.glob("*/*/*")} == set(entry.splits)

    return check


@pytest.fixture
def bad(photos: Photos) -> Path:
    """One of seven training pictures, cut in half; ``val`` and ``test`` are sound."""
    bad = photos.add("train/cats", 4)[1]
    photos.add("train/dogs", 3)
    photos.add("val/cats", 2)
    photos.add("test/cats", 2)
    photos.spoil(bad)
    return bad
