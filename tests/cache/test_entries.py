"""Entries: folders of the cache, found by what is in them and told apart by options."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cache import find_entries, only_entry
from pipeline.cache.entries import Entry, dataset_name, read_entry
from pipeline.cache.finding import all_entries
from pipeline.errors import PipelineError, UsageError
from pipeline.images.source_options import SourceOptions
from pipeline.spec import FeatureSpec


@pytest.fixture
def other(spec: FeatureSpec) -> Callable[..., Entry]:
    """Makes an entry, not saved, that differs from the usual one in the given fields."""

    def make(*, dataset: str = "toy", label: str = "random", **changes: object) -> Entry:
        changed = replace(spec, **changes)
        return Entry(Path("features") / dataset / changed.entry_name, changed, "/somewhere/toy", label)

    return make


def test_a_saved_entry_is_read_again(entry: Entry) -> None:
    assert read_entry(entry.folder) == entry
    saved = json.loads((entry.folder / "spec.json").read_text())
    assert list(saved) == ["dataset", "source", "weights_label", "spec"]
    assert (saved["dataset"], saved["spec"]["image_size"]) == ("toy", 150)


def test_how_a_source_is_read_is_kept(entry: Entry) -> None:
    told = replace(entry, source_options=SourceOptions(label_column="kind", leave_out=("*_mask.png",)))
    told.save()
    assert read_entry(entry.folder) == told


@pytest.mark.parametrize(("stated", "read"), [(3, 3), (1, 1), (0, 1), (-5, 1), ("7", 7), (None, None)])
def test_rows_of_a_file_are_one_at_least(stated: object, read: int | None, entry: Entry) -> None:
    file = entry.folder / "spec.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"rows_per_file": stated}))
    assert read_entry(entry.folder).rows_per_file == read


def test_saving_again_writes_only_what_changed(entry: Entry) -> None:
    file = entry.folder / "spec.json"
    before = file.stat()
    entry.save()
    assert file.stat().st_ino == before.st_ino
    file.write_text("{}")
    entry.save()
    assert read_entry(entry.folder) == entry
    assert os.listdir(entry.folder) == ["spec.json"]


def test_a_folder_that_cannot_be_made_is_named(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = replace(entry, folder=tmp_path / "file" / "toy" / entry.folder.name)
    with pytest.raises(PipelineError, match=r"cannot write the cache at .*Not a directory.*--cache"):
        blocked.save()


def test_splits_are_those_published_in_their_order(entry: Entry, publish: Callable[..., Path]) -> None:
    for split in ("test", "train"):
        publish(["a"], split)
    entry.partial("val").touch()
    assert entry.splits == ["train", "test"]


def test_retired_files_are_numbered(entry: Entry) -> None:
    def retire(name: str) -> set[str]:
        (entry.folder / name).write_text(name)
        before = set(entry.retired())
        entry.retire(entry.folder / name)
        assert not (entry.folder / name).exists()
        return {path.name for path in set(entry.retired()) - before}

    assert retire("train.h5") == {"train.1.h5.retired"}
    for name in ("train.10.h5.retired", "test.3.h5.retired"):
        (entry.folder / name).touch()
    assert retire("train.h5.partial") == {"train.11.h5.retired"}
    assert retire("val.h5") == {"val.1.h5.retired"}
    assert retire("train-00001-of-00002.h5") == {"train-00001-of-00002.1.h5.retired"}
    assert len(entry.retired()) == 6


@pytest.mark.parametrize("links", [True, False])
def test_a_retired_file_may_keep_its_name(links: bool, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    entry.file("train").write_text("rows")
    entry.retire(entry.file("train"), keep=True)
    assert [path.read_text() for path in (entry.file("train"), *entry.retired())] == ["rows", "rows"]
    entry.file("test").write_text("more rows")
    entry.retire(entry.file("test"))
    assert [path.read_text() for path in entry.retired()] == ["more rows", "rows"]
    assert not entry.file("test").exists()
    entry.retire(entry.folder / "absent.h5")
    assert len(entry.retired()) == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photos", "photos"),
        ("../../etc/passwd", "etc_passwd"),
        ("my photos (2)", "my_photos_2"),
        ("..", "images"),
        ("", "images"),
        ("日本", "images"),
        ("a.b-c_d", "a.b-c_d"),
        ("\udcff\n", "images"),
    ],
)
def test_any_name_becomes_a_safe_folder(name: str, expected: str) -> None:
    assert dataset_name(name) == expected


def test_entries_are_found_by_what_they_hold(
    entry: Entry, publish: Callable[..., Path], tmp_path: Path
) -> None:
    cache = tmp_path / "features"
    assert find_entries(cache) == []
    assert all_entries(cache) == [entry]
    publish(["a"])
    assert find_entries(cache) == [entry]
    assert find_entries(cache, lambda found: found.spec.image_size == 224) == []
    assert find_entries(tmp_path / "nowhere") == []


def test_no_match_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no features in .* match these options. Run `pipeline extract --data x` first"
    ):
        only_entry([], cache=tmp_path, extract_command="pipeline extract --data x")


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"layer": "block3_pool", "pooling": "avg"},
            ["--layer block5_pool", "--layer block3_pool"],
        ),
        ({"dataset": "zoo"}, ["--name toy", "--name zoo"]),
        ({"weights": "sha256:ab", "label": "imagenet"}, ["--weights random", "--weights imagenet"]),
        (
            {"weights": f"sha256:{'ab' * 32}", "label": "my filters.h5"},
            ["--weights random", "--weights sha256:abababababab"],
        ),
        ({"weights": "random:1"}, ["--weights random:0", "--weights random:1"]),
    ],
)
def test_several_matches_list_the_options_that_tell_them_apart(
    changes: dict[str, object], lines: list[str], other: Callable[..., Entry]
) -> None:
    with pytest.raises(UsageError) as caught:
        only_entry([other(), other(**changes)], cache=Path("features"), extract_command="")
    first, *listed = str(caught.value).splitlines()
    assert first == "several entries match these options; tell them apart with:"
    assert [line.strip() for line in listed] == lines


def test_the_only_match_is_returned(other: Callable[..., Entry]) -> None:
    entry = other()
    assert only_entry([entry], cache=Path("features"), extract_command="") is entry
