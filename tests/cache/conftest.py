"""Feature files made without stage one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache.entries import Entry
from pipeline.cache.format import Header
from pipeline.cache.partial_file import PartialFile, create_feature_file
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec

SHAPE = (2, 3)
CLASSES = ("cats", "dogs")


def make_rows(names: Sequence[str]) -> RowTable:
    """Rows whose digest and label follow from their name."""
    digests = [list(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()) for name in names]
    return RowTable(
        ids=list(names),
        labels=np.arange(len(names), dtype=np.int32) % len(CLASSES),
        digests=np.array(digests, np.uint8).reshape(len(names), 32),
        views=np.zeros(len(names), np.uint8),
    )


def make_values(rows: RowTable, dtype: str = "float32") -> np.ndarray:
    """Features that follow from the digest of a row, (N, 2, 3)."""
    return rows.digests[:, : SHAPE[0] * SHAPE[1]].reshape(-1, *SHAPE).astype(dtype)


@pytest.fixture(name="make_rows")
def _make_rows() -> Callable[[Sequence[str]], RowTable]:
    return make_rows


@pytest.fixture(name="make_values")
def _make_values() -> Callable[..., np.ndarray]:
    return make_values


@pytest.fixture
def make_header(spec: FeatureSpec) -> Callable[..., Header]:
    """Makes a header; what is not given has a value of its own."""

    def make(**changes: object) -> Header:
        fields: dict[str, object] = {
            "spec": spec,
            "dataset": "toy",
            "source": "/somewhere/toy",
            "split": "train",
            "classes": CLASSES,
            "weights_label": "random",
            "software": {"numpy": "2.0"},
        }
        return Header(**(fields | changes))

    return make


@pytest.fixture
def entry(spec: FeatureSpec, tmp_path: Path) -> Entry:
    """An entry that is saved and holds nothing yet."""
    entry = Entry(tmp_path / "features" / "toy" / spec.entry_name, spec, "/somewhere/toy", "random")
    entry.save()
    return entry


@pytest.fixture
def publish(entry: Entry, make_header: Callable[..., Header]) -> Callable[..., Path]:
    """Publishes a file of the entry with rows of the given names, or under another path."""

    def publish(names: Sequence[str], split: str = "train", path: Path | None = None) -> Path:
        path = path or entry.file(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = make_rows(names)
        draft = path.with_name(f"{path.name}.partial")
        create_feature_file(draft, make_header(split=split), rows, SHAPE)
        with PartialFile(draft) as partial:
            partial.write(np.arange(len(rows)), make_values(rows))
            partial.commit()
            partial.publish(path)
        return path

    return publish
