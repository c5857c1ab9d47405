"""Rows of the same spec are found wherever they stand in a cache, and copied only if they are sound."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import reuse
from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import FeatureFile, Header
from pipeline.cache.partial_file import PartialFile, create_feature_file
from pipeline.cache.reuse import DigestIndex, StoredRows, copy_rows, holds_unique_rows, stored_rows
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec

Publish = Callable[..., Path]
MakeRows = Callable[..., RowTable]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "features"


def names(stored: StoredRows) -> list[str]:
    return [stored.layouts[file].rows.ids[row] for file, row in zip(stored.file, stored.row, strict=True)]


def test_an_empty_cache_holds_nothing(cache: Path, entry: Entry) -> None:
    stored = stored_rows(cache, entry.spec)
    assert len(stored.keys) == len(stored.file) == len(stored.row) == 0
    assert stored.feature_shape is None


def test_rows_of_every_split_data_set_and_state_are_found(
    cache: Path, entry: Entry, publish: Publish
) -> None:
    publish(["a", "b"], "train")
    publish(["c"], "test")
    publish(["d"], path=entry.folder / "train.1.h5.retired")
    publish(["e"], path=entry.folder / "val.h5.partial")
    publish(["f"], path=cache / "zoo" / entry.folder.name / "train.h5")
    stored = stored_rows(cache, entry.spec)
    assert sorted(names(stored)) == list("abcdef")
    assert stored.feature_shape == (2, 3)
    keys = [stored.layouts[file].rows.keys[row] for file, row in zip(stored.file, stored.row, strict=True)]
    assert stored.keys.tolist() == [key.item() for key in keys]


def test_only_done_rows_count(
    cache: Path, entry: Entry, make_header: Callable[..., Header], make_rows: MakeRows, make_values: Callable
) -> None:
    rows = make_rows(list("abcd"))
    create_feature_file(entry.partial("train"), make_header(), rows, (2, 3))
    with PartialFile(entry.partial("train")) as partial:
        partial.write(np.array([1, 3]), make_values(rows)[[1, 3]])
        partial.commit()
    assert names(stored_rows(cache, entry.spec)) == ["b", "d"]


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_files_that_are_none_of_features_are_passed_over_and_told(
    content: bytes | None, cache: Path, entry: Entry, publish: Publish
) -> None:
    publish(["a"])
    if content is None:
        entry.file("test").mkdir()
    else:
        entry.file("test").write_bytes(content)
    stored = stored_rows(cache, entry.spec)
    assert names(stored) == ["a"]
    assert [one.path for one in stored.damaged] == [entry.file("test")] * (content is not None)


@pytest.mark.parametrize("name", [None, *(field.name for field in fields(FeatureSpec))])
def test_of_another_spec_only_images_count_whose_views_alone_differ(
    name: str | None,
    cache: Path,
    spec: FeatureSpec,
    make_header: Callable[..., Header],
    make_rows: MakeRows,
    make_values: Callable[..., np.ndarray],
) -> None:
    spec = replace(spec, augmentation='{"rotation": 20.0}')
    entry = Entry(cache / "toy" / spec.entry_name, spec, "/somewhere/toy", "random")
    entry.save()
    rows = replace(make_rows(list("aabb")), views=np.array([0, 1, 0, 1], np.uint8))
    create_feature_file(entry.partial("train"), make_header(spec=spec), rows, (2, 3))
    with PartialFile(entry.partial("train")) as partial:
        partial.write(np.arange(4), make_values(rows))
        partial.commit()
    other = spec
    if name:
        value = getattr(spec, name)
        other = replace(spec, **{name: value + 1 if isinstance(value, int) else f"{value}x"})
        disguised = cache / "toy" / other.entry_name / "train.h5"
        disguised.parent.mkdir()
        shutil.copy(entry.partial("train"), disguised)
    expected = {None: {0, 1, 2, 3}, "augmentation": {0, 2}}.get(name, set())
    assert set(stored_rows(cache, other).row.tolist()) == expected


@pytest.mark.parametrize("n", [1, 255, 256, 257, 600])
def test_rows_are_copied_to_their_places(
    n: int,
    cache: Path,
    entry: Entry,
    publish: Publish,
    make_header: Callable[..., Header],
    make_rows: MakeRows,
    make_values: Callable[..., np.ndarray],
) -> None:
    publish([str(i) for i in range(n)])
    stored = stored_rows(cache, entry.spec)
    wanted = make_rows([str(i) for i in reversed(range(n))])
    create_feature_file(entry.partial("test"), make_header(split="test"), wanted, (2, 3))
    with PartialFile(entry.partial("test")) as target:
        assert not len(copy_rows(stored, np.arange(n)[::-1], target, np.arange(n)))
    layout = open_feature_file(entry.partial("test"))
    assert layout.done.all()
    np.testing.assert_array_equal(layout.features, make_values(wanted))


def test_a_damaged_row_is_not_copied(
    cache: Path, entry: Entry, publish: Publish, make_header: Callable[..., Header], make_rows: MakeRows
) -> None:
    path = publish(list("abc"))
    with open(path, "r+b") as file:
        file.seek(open_feature_file(path).offsets["features"] + 24)
        file.write(b"\xff\xff")
    stored = stored_rows(cache, entry.spec)
    create_feature_file(entry.partial("test"), make_header(split="test"), make_rows(list("abc")), (2, 3))
    with PartialFile(entry.partial("test")) as target:
        assert copy_rows(stored, np.arange(3), target, np.arange(3)).tolist() == [1]
        assert target.done.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("old", "newer", "unique"),
    [("abc", ["abc"], False), ("abc", ["ab", "cd"], False), ("abc", ["ab"], True), ("abc", [], True)],
)
def test_a_file_is_kept_for_rows_that_no_newer_one_has(
    old: str, newer: list[str], unique: bool, entry: Entry, publish: Publish
) -> None:
    path = publish(list(old), path=entry.folder / "train.1.h5.retired")
    paths = [publish(list(part), path=entry.folder / f"{number}.h5") for number, part in enumerate(newer)]
    assert holds_unique_rows(path, [*paths, entry.folder / "absent.h5"]) is unique


def test_a_file_is_not_opened_twice_in_vain(
    cache: Path,
    entry: Entry,
    publish: Publish,
    make_rows: MakeRows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(["a", "b"], "train")
    publish(["c"], "test")
    opened: list[str] = []
    open_mapped = reuse.open_mapped

    def note(path: Path) -> FeatureFile:
        opened.append(path.name)
        return open_mapped(path)

    monkeypatch.setattr(reuse, "open_mapped", note)
    digest_index = DigestIndex()
    for wanted, expected, read in (
        ("b", ["b"], ["test.h5", "train.h5"]),
        ("c", ["c"], ["test.h5"]),
        ("x", [], []),
        ("ac", ["a", "c"], ["test.h5", "train.h5"]),
    ):
        opened.clear()
        stored = stored_rows(cache, entry.spec, make_rows(list(wanted)).keys, digest_index=digest_index)
        assert sorted(names(stored)) == expected
        assert opened == read
    publish(["x"], "test")  # another version of the file
    assert names(stored_rows(cache, entry.spec, make_rows(["x"]).keys, digest_index=digest_index)) == ["x"]


def test_a_file_that_is_filled_further_is_looked_through_again(
    cache: Path, entry: Entry, make_header: Callable[..., Header], make_rows: MakeRows, make_values: Callable
) -> None:
    rows, path, digest_index = make_rows(list("ab")), entry.partial("train"), DigestIndex()
    create_feature_file(path, make_header(), rows, (2, 3))
    with PartialFile(path) as partial:
        for number in range(2):
            partial.write(np.array([number]), make_values(rows)[[number]])
            partial.commit()
            if number == 0:
                os.utime(path, (0, 0))  # or both versions may be of one tick of the file system's clock
            assert (
                len(names(stored_rows(cache, entry.spec, rows.keys, digest_index=digest_index))) == number + 1
            )


@pytest.mark.parametrize("wanted", ["", "a", "bd", "xb"])
def test_only_rows_that_are_looked_for_are_found(
    wanted: str, cache: Path, entry: Entry, publish: Publish, make_rows: MakeRows
) -> None:
    publish(["a", "b"], "train")
    publish(["c"], "test")
    publish(["d"], path=entry.folder / "val.h5.partial")
    stored = stored_rows(cache, entry.spec, make_rows(list(wanted)).keys)
    assert sorted(names(stored)) == sorted(set(wanted) & set("abcd"))
    assert len(stored.layouts) == len(set(wanted) & set("abd"))
    assert stored.feature_shape == (2, 3)


def test_newer_files_are_read_once_unless_they_may_hold_what_is_looked_for(
    entry: Entry, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = [publish(list(rows), path=entry.folder / f"{rows}.h5") for rows in ("ab", "cd")]
    retired = [publish([row], path=entry.folder / f"{row}.1.h5.retired") for row in "cxa"]
    opened: list[str] = []
    open_feature_file = reuse.open_feature_file

    def note(path: Path) -> FeatureFile:
        opened.append(path.name)
        return open_feature_file(path)

    monkeypatch.setattr(reuse, "open_feature_file", note)
    digest_index = DigestIndex()
    assert [holds_unique_rows(path, newer, digest_index=digest_index) for path in retired] == [
        False,
        True,
        False,
    ]
    assert opened == ["c.1.h5.retired", "ab.h5", "cd.h5", "x.1.h5.retired", "a.1.h5.retired", "ab.h5"]


def test_a_file_that_cannot_be_read_holds_nothing(entry: Entry) -> None:
    entry.file("train").write_text("text")
    assert not holds_unique_rows(entry.file("train"), [])
