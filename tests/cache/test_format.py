"""The file on disk: what any reader of HDF5 finds in it, and where."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import ALIGNMENT, STORED_DTYPES, Header
from pipeline.cache.partial_file import create_feature_file
from pipeline.errors import PipelineError
from pipeline.images.row_table import RowTable
from pipeline.spec import SCHEMA, FeatureSpec

MakeHeader = Callable[..., Header]
MakeRows = Callable[[list[str]], RowTable]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.h5.partial"


@pytest.mark.parametrize("store", STORED_DTYPES)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_columns_are_those_of_the_format(
    store: str, n: int, path: Path, spec: FeatureSpec, make_header: MakeHeader, make_rows: MakeRows
) -> None:
    rows = make_rows([f"train/cats/{i}.png" for i in range(n)])
    create_feature_file(path, make_header(spec=replace(spec, store=store)), rows, (4, 4, 3))
    with h5py.File(path, "r") as file:
        assert {name: (dataset.shape, dataset.dtype.str) for name, dataset in file.items()} == {
            "features": ((n, 4, 4, 3), STORED_DTYPES[store]),
            "labels": ((n,), "<i4"),
            "ids": ((n,), "|S16" if n else "|S1"),
            "groups": ((n,), "|S1"),
            "digests": ((n, 32), "|u1"),
            "views": ((n,), "|u1"),
            "crc32": ((n,), "<u4"),
            "done": ((n,), "|u1"),
            "classes": ((2,), "|S4"),
            "skipped": ((0,), "|S1"),
        }
        assert [text.decode() for text in file["ids"][()]] == rows.ids
        np.testing.assert_array_equal(file["labels"][()], rows.labels)
        np.testing.assert_array_equal(file["digests"][()], rows.digests)
        assert not file["done"][()].any()


def test_the_attributes_are_those_of_the_format(
    path: Path, spec: FeatureSpec, make_header: MakeHeader, make_rows: MakeRows
) -> None:
    create_feature_file(path, make_header(), make_rows(["a"]), (1,))
    with h5py.File(path, "r") as file:
        texts = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in file.attrs.items()
        }
    assert texts.pop("schema") == SCHEMA
    assert FeatureSpec.from_json(texts["spec"]) == spec
    assert json.loads(texts["software"]) == {"numpy": "2.0"}
    assert datetime.fromisoformat(texts["created_at"]).tzinfo is not None
    assert (texts["dataset"], texts["split"], texts["source"]) == ("toy", "train", "/somewhere/toy")
    assert (texts["weights_label"], len(texts["seal"])) == ("random", 64)


def test_datasets_are_contiguous_aligned_and_reserved(
    path: Path, make_header: MakeHeader, make_rows: MakeRows
) -> None:
    create_feature_file(path, make_header(), make_rows(list("abcde")), (2, 3))
    layout = open_feature_file(path)
    with h5py.File(path, "r") as file:
        assert file.libver == ("earliest", "v114")
        for dataset in file.values():
            if dataset.size:
                assert dataset.chunks is None
                assert dataset.compression is None
                assert dataset.id.get_offset() % ALIGNMENT == 0
        for name, offset in layout.offsets.items():
            assert file[name].id.get_offset() == offset
            plist = file[name].id.get_create_plist()
            assert plist.get_layout() == h5py.h5d.CONTIGUOUS
            assert plist.get_alloc_time() == h5py.h5d.ALLOC_TIME_EARLY
            assert plist.get_fill_time() == h5py.h5d.FILL_TIME_NEVER
    status = os.stat(path)
    assert status.st_blocks * 512 >= status.st_size


def test_plain_writes_at_the_offsets_are_what_hdf5_reads(
    path: Path, make_header: MakeHeader, make_rows: MakeRows
) -> None:
    create_feature_file(path, make_header(), make_rows(list("abcde")), (2, 3))
    layout = open_feature_file(path)
    written = np.arange(30, dtype="<f4").reshape(5, 2, 3)
    with open(path, "r+b") as file:
        file.seek(layout.offsets["features"])
        file.write(written.tobytes())
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["features"][()], written)
    features = open_feature_file(path).features
    assert isinstance(features, np.memmap)
    np.testing.assert_array_equal(features, written)


def test_what_was_laid_out_is_what_is_opened(
    path: Path, make_header: MakeHeader, make_rows: MakeRows
) -> None:
    header = make_header(
        skipped=({"id": "bad \udcff.png", "reason": "truncated", "digest": "00"},),
        classes=("cats", "dogs", "\udce9l\udce9phants"),
        dataset="näme",
        source="/some\udcffwhere",
        weights_label="",
    )
    rows = make_rows(["train/a.png", "train/b.png"])
    create_feature_file(path, header, rows, (4,))
    layout = open_feature_file(path)
    assert layout.header == header
    assert layout.rows.equals(rows)
    assert (layout.feature_shape, layout.dtype) == ((4,), np.float32)
    assert not layout.done.any()


@pytest.mark.parametrize(
    "name",
    [
        "train/café/été.png",
        "train/\N{GRINNING FACE}\n\t.png",
        b"train/\xff\xfe\xe9.png".decode("utf-8", "surrogateescape"),
        "d" * 200 + "/" + "e" * 3000 + ".png",
        "array[17]",
        " leading and trailing ",
        "=cmd|' /C calc'!A0",
    ],
)
def test_any_file_name_survives(name: str, path: Path, make_header: MakeHeader, make_rows: MakeRows) -> None:
    create_feature_file(path, make_header(), make_rows(["short", name]), (1,))
    assert open_feature_file(path).rows.ids == ["short", name]


def test_ten_thousand_classes(path: Path, make_header: MakeHeader, make_rows: MakeRows) -> None:
    classes = tuple(f"class number {i}" for i in range(10_000))
    create_feature_file(path, make_header(classes=classes), make_rows(["a"]), (1,))
    assert open_feature_file(path).header.classes == classes


def test_a_file_without_rows_can_be_opened(path: Path, make_header: MakeHeader, make_rows: MakeRows) -> None:
    create_feature_file(path, make_header(), make_rows([]), (4, 4, 512))
    layout = open_feature_file(path)
    assert layout.features.shape == (0, 4, 4, 512)
    assert len(layout.rows) == len(layout.done) == 0


def test_a_failed_layout_leaves_what_was_there(
    path: Path, make_header: MakeHeader, make_rows: MakeRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_feature_file(path, make_header(), make_rows(["a"]), (1,))
    before = path.read_bytes()

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_fallocate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create_feature_file(path, make_header(), make_rows(["b"]), (1,))
    assert [file.read_bytes() for file in path.parent.iterdir()] == [before]


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, make_header: MakeHeader, make_rows: MakeRows
) -> None:
    path = tmp_path / "absent" / "train.h5.partial"
    with pytest.raises(PipelineError, match=r"cannot lay out .*absent/train.h5.partial: .*--cache"):
        create_feature_file(path, make_header(), make_rows(["a"]), (1,))
