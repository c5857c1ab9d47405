"""Files that are not what they should be: refused in one line, never read as if they were."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.cache import open_features
from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.finding import all_entries
from pipeline.cache.format import damaged_rows, seal
from pipeline.cache.inspection import verify_cache
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.spec import SCHEMA

Publish = Callable[..., Path]


def flip(path: Path, offset: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no readable feature file"),
        (b"path,label\na.jpg,cats\n", "is no readable feature file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 500, "is no readable feature file"),
    ],
)
def test_a_file_that_is_no_hdf5(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "train.h5"
    path.write_bytes(content)
    with pytest.raises(CacheMismatchError, match=rf"{message} \(.*\)\. Remove it and run") as caught:
        open_feature_file(path)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "train.h5"
    with h5py.File(path, "w") as file:
        file["features"] = np.zeros((3, 4))
    with pytest.raises(CacheMismatchError, match=f"has schema None, this version reads {SCHEMA}"):
        open_feature_file(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train.h5 does not exist: run `pipeline extract`"):
        open_feature_file(tmp_path / "train.h5")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_truncated_file(kept: float, publish: Publish) -> None:
    path = publish(list("abcdefgh"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(CacheMismatchError, match=r"`pipeline extract` (again|mends it)"):
        open_feature_file(path)


def test_a_file_of_another_schema(publish: Publish) -> None:
    path = publish(["a"])
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = SCHEMA + 1
        file.attrs.modify("seal", np.array(seal(file).encode()))
    with pytest.raises(CacheMismatchError, match=f"has schema {SCHEMA + 1}, this version reads {SCHEMA}"):
        open_feature_file(path)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda file: file.attrs.__setitem__("split", b"test_"), "its split changed"),
        (lambda file: file.attrs.__setitem__("dataset", b"zoo"), "its dataset changed"),
        (lambda file: file.attrs.__setitem__("schema", SCHEMA + 1), "its schema changed"),
        (lambda file: file["labels"].__setitem__(0, 1), "its labels changed"),
        (lambda file: file["digests"].__setitem__((1, 5), 0), "its digests changed"),
        (lambda file: file["views"].__setitem__(0, 1), "its views changed"),
        (lambda file: file["ids"].__setitem__(0, b"z"), "its ids changed"),
        (lambda file: file["classes"].__setitem__(0, b"dogs"), "its classes changed"),
        (lambda file: file.attrs.__setitem__("seal", b"0" * 64), "its seal changed"),
        (lambda file: file.attrs.__setitem__("seals", b"{}"), "its .*classes, .*digests, .*spec"),
        (lambda file: file.attrs.__delitem__("seals"), "its header or row list changed"),
        (lambda file: file.attrs.__setitem__("more", 1), "an unknown attribute 'more'"),
        (lambda file: file.attrs.__delitem__("software"), "no attribute 'software'"),
        (lambda file: file.__delitem__("views"), "no dataset 'views'"),
        (lambda file: file.create_dataset("more", data=[1]), "an unknown dataset 'more'"),
        (lambda file: file.move("crc32", "crc"), "an unknown dataset 'crc'"),
    ],
)
def test_an_altered_header_or_row_list(
    alter: Callable[[h5py.File], None], message: str, publish: Publish
) -> None:
    path = publish(list("ab"))
    with h5py.File(path, "r+") as file:
        alter(file)
    with pytest.raises(CacheMismatchError, match=rf"{message}.*`pipeline extract`") as caught:
        open_feature_file(path)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("column", "size"), [("features", 24), ("crc32", 4)])
def test_a_damaged_row_is_named_and_refused(column: str, size: int, publish: Publish, entry: Entry) -> None:
    path = publish(list("abcde"))
    layout = open_feature_file(path)
    for row in (1, 4):
        flip(path, layout.offsets[column] + row * size + size - 1)
    assert damaged_rows(open_feature_file(path)).tolist() == [1, 4]

    (found,) = (finding for finding in verify_cache(entry.folder.parents[1]) if finding["bad_rows"])
    assert found == {
        "file": str(path),
        "rows": 5,
        "problem": None,
        "unreadable": None,
        "bad_rows": [{"row": 1, "id": "b"}, {"row": 4, "id": "e"}],
    }
    features = open_features(entry, "train")
    assert features.read(np.array([0, 2, 3])).shape == (3, 2, 3)
    with pytest.raises(CacheMismatchError, match=r"train.h5: row 1 \(b\) is damaged.*cache verify"):
        features.to_memory()


def test_a_file_that_is_not_finished_is_refused(publish: Publish, entry: Entry) -> None:
    path = publish(list("abc"))
    flip(path, open_feature_file(path).offsets["done"] + 1)
    with pytest.raises(CacheMismatchError, match="is incomplete: run `pipeline extract` to finish it"):
        open_features(entry, "train")
    assert [finding["problem"] for finding in verify_cache(entry.folder.parents[1])] == [
        None,
        "1 row is not done",
    ]


def test_a_file_of_another_split_is_refused(publish: Publish, entry: Entry) -> None:
    shutil.copy(publish(["a"], "train"), entry.file("test"))
    with pytest.raises(CacheMismatchError, match="part: 'train' in the file, 'test' expected"):
        open_features(entry, "test")
    problems = [finding["problem"] for finding in verify_cache(entry.folder.parents[1])]
    assert problems == [None, "it holds the part train", None]


def test_a_file_of_another_spec_is_refused(publish: Publish, entry: Entry) -> None:
    path = publish(["a"])
    other = replace(entry.spec, image_size=160, weights="random:1")
    moved = Entry(entry.folder.with_name(other.entry_name), other, entry.source, entry.weights_label)
    moved.save()
    shutil.copy(path, moved.file("train"))
    with pytest.raises(CacheMismatchError, match="image_size: 150 in the file, 160 expected") as caught:
        open_features(moved, "train")
    assert "weights: 'random:0' in the file, 'random:1' expected" in str(caught.value)
    assert f"it belongs to {entry.folder.name}" in [
        finding["problem"] for finding in verify_cache(entry.folder.parents[1])
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"image_size": 150', '"image_size": 160', "describes vgg16-160-.*it was edited or moved"),
        ('"image_size": 150', '"image_size": "150"', "image_size must be of type int"),
        ('"resize"', '"rezise"', "its fields differ from those of this version"),
        ('"source"', '"sauce"', r"cannot be read \('source'\)"),
        ("{", "", r"cannot be read \(.*\). Run `pipeline extract` to write it anew"),
        ('"spec": {', '"spec": [], "other": {', "cannot be read"),
    ],
)
def test_an_edited_spec_is_refused(old: str, new: str, message: str, publish: Publish, entry: Entry) -> None:
    publish(["a"])
    file = entry.folder / "spec.json"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(CacheMismatchError, match=message):
        read_entry(entry.folder)
    assert all_entries(entry.folder.parents[1]) == []
    assert [bool(finding["problem"]) for finding in verify_cache(entry.folder.parents[1])] == [True, False]
