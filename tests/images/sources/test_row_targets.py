"""Parquet tables in which an image has several labels, or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images import ImageSource
from pipeline.images.source import targets_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import open_source
from pipeline.images.targets import LABELS, NUMBER

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
NAN = np.nan
Opened = Callable[..., ImageSource]


@pytest.fixture
def table(tmp_path: Path) -> Opened:
    """Opens a table of which the columns beside the paths are given."""

    def opened(columns: Mapping[str, object], **options: object) -> ImageSource:
        count = len(next(iter(columns.values())))
        whole = {"path": [f"{i}.png" for i in range(count)], **columns}
        parquet.write_table(pa.table(whole), tmp_path / "toy.parquet")
        return open_source(str(tmp_path / "toy.parquet"), SourceOptions(**options))

    return opened


def assert_targets(source: ImageSource, kind: str, names: tuple[str, ...], expected: object) -> None:
    table = targets_of(source)
    assert table is not None
    assert (table.kind, table.names, source.classes) == (kind, names, names)
    labels = np.array([item.label for item in source.items()])
    np.testing.assert_array_equal(table.of(labels), np.array(expected, np.float32))


def test_labels_with_a_separator(table: Opened) -> None:
    source = table({"label": ["cat;indoor", "dog", None]}, label_separator=";")
    assert_targets(source, LABELS, ("cat", "dog", "indoor"), [[1, 0, 1], [0, 1, 0], [NAN] * 3])


@pytest.mark.parametrize("kind", ["bool", "int8", "float32", "float64"])
def test_a_column_a_label(kind: str, table: Opened) -> None:
    column = pa.array([1, 0, None]).cast(pa.type_for_alias(kind))
    assert_targets(table({"a": column}, target_column=("a",)), LABELS, ("a",), [[1], [0], [NAN]])


@pytest.mark.parametrize("kind", ["float32", "float64", "string"])
def test_numbers_with_fractions(kind: str, table: Opened) -> None:
    column = pa.array([1.5, -2.25, None, 0.1]).cast(pa.type_for_alias(kind))
    expected = [[1.5], [-2.25], [NAN], [0.1]]
    assert_targets(table({"label": column}, target="number"), NUMBER, ("label",), expected)
    assert_targets(table({"b": column}, target_column=("b",)), NUMBER, ("b",), expected)


@pytest.mark.parametrize("options", [{"target_column": ("a",)}, {"target": "number", "label_column": "a"}])
def test_a_column_of_lists_is_refused(options: dict[str, object], table: Opened) -> None:
    with pytest.raises(UsageError, match=r"'a' is list<.*expected text or numbers"):
        table({"a": [[1], [2]]}, **options)
