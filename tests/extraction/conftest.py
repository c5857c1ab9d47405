"""A folder with one picture that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from photos import Photos


@pytest.fixture
def bad(photos: Photos) -> Path:
    """One of seven training pictures, cut in half; ``val`` and ``test`` are sound."""
    bad = photos.add("train/cats", 4)[1]
    photos.add("train/dogs", 3)
    photos.add("val/cats", 2)
    photos.add("test/cats", 2)
    photos.spoil(bad)
    return bad
