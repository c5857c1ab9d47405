"""Rows and features come from the same version of a file that is replaced meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import feature_file, open_features
from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import FeatureFile
from pipeline.errors import CacheMismatchError, UsageError


@pytest.mark.parametrize("newer", [["c", "d", "e"], ["b", "a"], ["a"]])
def test_a_file_replaced_between_the_header_and_the_map(
    newer: list[str], entry: Entry, publish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(["a", "b"])
    opened = []

    def then_replace(path: Path) -> FeatureFile:
        layout = open_feature_file(path)
        if not opened:
            opened.append(publish(newer))
        return layout

    monkeypatch.setattr(feature_file, "open_feature_file", then_replace)
    features = open_features(entry, "train")
    assert list(features.rows.ids) == newer
    np.testing.assert_array_equal(
        features.to_memory(), features.rows.digests[:, :6].reshape(-1, 2, 3).astype("float32")
    )


def test_what_is_damaged_is_not_tried_for_ever(entry: Entry, publish: Callable[..., Path]) -> None:
    publish(["a"]).write_bytes(b"no feature file")
    with pytest.raises(CacheMismatchError, match="no readable feature file"):
        feature_file.open_mapped(entry.file("train"))


def test_what_is_not_there(entry: Entry) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        feature_file.open_mapped(entry.file("train"))
