"""Features as files of other programs: what comes out is what was stored, with what is known of each row."""

from __future__ import annotations

import builtins
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import Photos
from pyarrow import parquet

from pipeline import FeatureRequest, extract, open_features, registry
from pipeline.cache import FeatureSet
from pipeline.cache.exchange import formats, stored_table
from pipeline.cache.exchange.exporting import export_features
from pipeline.cache.exchange.formats.parquet import METADATA
from pipeline.cache.exchange.stored_table import COLUMNS
from pipeline.errors import CacheMismatchError, UsageError

FORMATS = registry.names(formats)
Table = tuple[np.ndarray, dict[str, list[Any]], dict[str, Any]]


@pytest.fixture
def splits(photos: Photos, tmp_path: Path) -> list[FeatureSet]:
    """Pixels of five photographs, one without a label, in two splits."""
    table = tmp_path / "table.csv"
    labels = {"train": ["cats", "cats", "dogs"], "test": ["cats", ""]}
    rows = [(split, label) for split, names in labels.items() for label in names]
    lines = [f"{photos.add('a')[0]},{label},{split},g{place}" for place, (split, label) in enumerate(rows)]
    table.write_text("\n".join(["path,label,split,group", *lines]))
    request = FeatureRequest(backbone="pixels", image_size=4)
    (report,) = extract(table, request, cache=tmp_path / "cache")
    return [open_features(report.entry, split) for split in report.entry.splits]


def read_npz(path: Path) -> Table:
    with np.load(path) as archive:
        columns = {name: archive[name].tolist() for name in COLUMNS}
        return archive["features"], columns, json.loads(str(archive["metadata"]))


def read_npy(path: Path) -> Table:
    rows = _rows(path.with_suffix(".csv"))
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return np.load(path), columns, json.loads(path.with_suffix(".json").read_text())


def read_csv(path: Path) -> Table:
    rows = _rows(path)
    width = len(rows[0]) - len(COLUMNS)
    features = np.array([[float(row[f"f{i}"]) for i in range(width)] for row in rows])
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return features, columns, json.loads(path.with_suffix(".json").read_text())


def read_parquet(path: Path) -> Table:
    table = parquet.read_table(path)
    columns = {name: table[name].to_pylist() for name in COLUMNS}
    return (
        np.array(table["features"].to_pylist()),
        columns,
        json.loads(table.schema.metadata[METADATA.encode()]),
    )


READ: dict[str, Callable[[Path], Table]] = {
    "npz": read_npz, "npy": read_npy, "csv": read_csv, "parquet": read_parquet,
}  # fmt: skip


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_what_comes_out_is_what_was_stored(
    format: str, block_bytes: int, splits: list[FeatureSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_table, "BLOCK_BYTES", block_bytes)
    written = export_features(splits, tmp_path / f"out/features.{format}")
    features, columns, metadata = READ[format](written.files[0])
    expected = np.concatenate([split.to_memory().reshape(len(split), -1) for split in splits])
    assert np.array_equal(features, expected)
    assert {*map(Path.exists, written.files)} == {True}
    known = [split.rows.columns(split.split, split.classes) for split in splits]
    for name in COLUMNS:
        wanted = [str(value) for one in known for value in one[name]]
        assert ["" if value is None else str(value) for value in columns[name]] == wanted
    assert "" in [value or "" for value in columns["label"]]
    assert metadata["classes"] == ["cats", "dogs"]
    assert metadata["rows"] == {split.split: len(split) for split in splits}
    assert metadata["spec"][0]["backbone"] == "pixels"
    assert metadata["feature_shape"] == [4, 4, 3]


@pytest.mark.parametrize("format", FORMATS)
def test_what_stands_there_stays_unless_force_is_used(
    format: str, splits: list[FeatureSet], tmp_path: Path
) -> None:
    written = export_features(splits, tmp_path / f"features.{format}")
    last = written.files[-1]
    last.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists: choose another --out, or replace it with --force"):
        export_features(splits, written.files[0])
    assert last.read_bytes() == b"mine"
    export_features(splits, written.files[0], force=True)
    assert last.read_bytes() != b"mine"


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_row_leaves_no_file(format: str, splits: list[FeatureSet], tmp_path: Path) -> None:
    path = splits[-1].path
    raw = bytearray(path.read_bytes())
    place = raw.find(splits[-1].to_memory()[0].tobytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    out = tmp_path / "out"
    with pytest.raises(CacheMismatchError, match="is damaged"):
        export_features([*splits[:-1], open_features(path.parent, splits[-1].split)], out / f"a.{format}")
    assert list(out.iterdir()) == []


def test_half_precision_comes_back_from_text(splits: list[FeatureSet], tmp_path: Path) -> None:
    request = FeatureRequest(
        backbone="mobilenet_v2_035", weights="random:0", image_size=32, pooling="avg", engine="openvino",
        precision="float32",
    )  # fmt: skip
    (report,) = extract(tmp_path / "photos", request, cache=tmp_path / "cache")
    features = open_features(report.entry, "train")
    written = export_features([features], tmp_path / "a.csv")
    assert np.array_equal(read_csv(written.files[0])[0].astype(np.float16), features.to_memory())


def test_an_unknown_format_is_refused(splits: list[FeatureSet], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'xlsx': choose from csv, npy, npz, parquet"):
        export_features(splits, tmp_path / "features.xlsx")
    assert export_features(splits, tmp_path / "plain", format="npz").files == (tmp_path / "plain.npz",)


def test_a_missing_package_is_named(
    splits: list[FeatureSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r"'parquet' needs pyarrow: pip install 'two-stage-pipeline\[parquet\]'"
    ):
        export_features(splits, tmp_path / "features.parquet")


def test_features_as_a_table_of_pandas(splits: list[FeatureSet]) -> None:
    frame = splits[-1].to_frame()
    assert list(frame.columns[:7]) == [*COLUMNS, "f0"]
    assert frame["label"].isna().sum() == 1
    assert np.array_equal(frame.iloc[:, 6:].to_numpy(), splits[-1].to_memory().reshape(len(frame), -1))


def test_pandas_is_named_where_it_is_missing(
    splits: list[FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError(name="pandas")
        return real(name, *more)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(UsageError, match=r"pip install 'two-stage-pipeline\[pandas\]'"):
        splits[0].to_frame()
