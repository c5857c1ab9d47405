"""A byte of a feature file is changed: the values stay as they were, or somebody notices."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cache import open_features
from pipeline.cache.entries import Entry
from pipeline.cache.features import FeatureSet
from pipeline.errors import CacheMismatchError

EXAMPLES = 300
MASKS = (0x01, 0x80, 0xFF)
"""What a byte is changed by where every byte is: the lowest bit, the highest, all."""


class Altered:
    """A feature file of which one byte at a time is changed and put back."""

    def __init__(self, entry: Entry, path: Path) -> None:
        self.entry = entry
        self.content = path.read_bytes()
        self.wanted = self.read()
        self._path = path
        # Where something is written; the rest is padding between the datasets.
        self.places = np.flatnonzero(np.frombuffer(self.content, np.uint8)).tolist()

    def read(self) -> tuple[FeatureSet, np.ndarray]:
        features = open_features(self.entry, "train")
        return features, features.to_memory()

    def detects(self, offset: int, mask: int) -> bool:
        """Changes a byte; the file is refused, or all that it says is as it was."""
        with open(self._path, "r+b") as file:
            os.pwrite(file.fileno(), bytes([self.content[offset] ^ mask]), offset)
            try:
                features, values = self.read()
            except CacheMismatchError:
                return True
            finally:
                os.pwrite(file.fileno(), self.content[offset : offset + 1], offset)
        wanted, wanted_values = self.wanted
        assert features.rows.equals(wanted.rows), (offset, mask)
        assert (features.spec, features.classes) == (wanted.spec, wanted.classes), (offset, mask)
        assert (features.dataset, features.split) == (wanted.dataset, wanted.split), (offset, mask)
        assert values.dtype == wanted_values.dtype
        np.testing.assert_array_equal(values, wanted_values, err_msg=f"{offset} {mask}")
        return False


@pytest.fixture
def altered(publish: Callable[..., Path], entry: Entry) -> Altered:
    return Altered(entry, publish(["a.png", "b.png", "c.png"]))


def test_a_changed_byte_is_harmless_or_detected(altered: Altered) -> None:
    found = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(altered.places) | st.integers(0, len(altered.content) - 1), st.integers(1, 255))
    def change(offset: int, mask: int) -> None:
        found.append(altered.detects(offset, mask))

    change()
    print(f"{len(found)} changed bytes: {sum(found)} detected, {found.count(False)} harmless, 0 unnoticed")
    assert sum(found) > EXAMPLES / 10


@pytest.mark.torture
def test_every_changed_byte_is_harmless_or_detected(altered: Altered) -> None:
    found = [altered.detects(offset, MASKS[0]) for offset in range(len(altered.content))]
    found += [altered.detects(offset, mask) for offset in altered.places for mask in MASKS[1:]]
    print(f"{len(found)} changed bytes: {sum(found)} detected, {found.count(False)} harmless, 0 unnoticed")
    assert sum(found) > len(altered.places) / 10
