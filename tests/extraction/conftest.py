"""Folders of pictures for several tests of stage one."""

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


@pytest.fixture
def pictures(photos: Photos) -> Photos:
    """Eleven training pictures, four of ``val``, and one of ``test``."""
    photos.add("train/cats", 6)
    photos.add("train/dogs", 5)
    photos.add("val/cats", 4)
    photos.add("test/dogs", 1)
    return photos
