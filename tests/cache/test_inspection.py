"""Looking into a cache and cleaning it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cache.entries import Entry
from pipeline.cache.inspection import describe, remove, remove_retired, summaries, verify_cache
from pipeline.cache.locks import fill_lock, shared_lock
from pipeline.errors import CacheMismatchError, PipelineError

Publish = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "features"


def test_a_summary_tells_rows_and_bytes(cache: Path, entry: Entry, publish: Publish) -> None:
    sizes = [publish(list("abc"), "train").stat().st_size, publish(["d"], "val").stat().st_size]
    entry.file("test").write_text("no feature file")
    assert summaries(cache) == [
        {
            "entry": str(entry.folder),
            "source": "/somewhere/toy",
            "rows": {"train": 3, "val": 1, "test": None},
            "bytes": sum(sizes) + len("no feature file"),
            "told_apart_by": [],
            "left_alone": [],
        }
    ]


def test_an_empty_cache(cache: Path) -> None:
    assert summaries(cache) == []
    assert verify_cache(cache) == []
    assert remove_retired(cache).bytes == 0


def test_a_description_holds_the_spec_and_every_file(entry: Entry, publish: Publish) -> None:
    publish(list("abc"))
    publish(["x"], path=entry.folder / "train.1.h5.retired")
    described = describe(entry)
    assert (described["entry"], described["source"]) == (str(entry.folder), entry.source)
    assert described["weights"] == "random"
    assert described["spec"]["layer"] == "block5_pool"
    first, second = described["files"]
    assert second == {
        "file": str(entry.file("train")),
        "rows": 3,
        "done": 3,
        "feature_shape": [2, 3],
        "classes": ["cats", "dogs"],
        "skipped": [],
        "software": {"numpy": "2.0"},
    }
    assert first["rows"] == 1


def test_a_file_that_cannot_be_described_is_named(entry: Entry) -> None:
    entry.file("train").write_text("no feature file")
    with pytest.raises(CacheMismatchError, match=r"train.h5 is no readable feature file"):
        describe(entry)


def test_verify_looks_at_every_file(cache: Path, entry: Entry, publish: Publish) -> None:
    publish(list("abc"))
    publish(["x"], path=entry.folder / "train.1.h5.retired")
    publish(["y"], path=cache / "no entry" / entry.folder.name / "train.h5")
    (entry.folder / "notes.txt").write_text("not looked at")
    findings = verify_cache(cache)
    assert [(Path(found["file"]).name, found["rows"]) for found in findings] == [
        ("train.h5", 1),
        ("spec.json", 0),
        ("train.1.h5.retired", 1),
        ("train.h5", 3),
    ]
    assert not any(found["problem"] or found["bad_rows"] for found in findings)


def test_a_removed_entry_frees_its_bytes(cache: Path, entry: Entry, publish: Publish) -> None:
    publish(["a"])
    size = sum(path.stat().st_size for path in entry.folder.iterdir())
    neighbour = replace(entry, folder=entry.folder.with_name("neighbour"))
    neighbour.save()
    assert remove(entry).bytes == size
    assert [path.name for path in entry.folder.parent.iterdir()] == ["neighbour"]


def test_an_entry_that_is_being_filled_is_not_removed(entry: Entry, publish: Publish) -> None:
    path = publish(["a"])
    with (
        shared_lock([entry.folder]),
        fill_lock([entry.file("train")]),
        pytest.raises(PipelineError, match="is being filled by process"),
    ):
        remove(entry)
    assert path.exists()


def test_only_retired_files_are_collected(cache: Path, entry: Entry, publish: Publish) -> None:
    kept = publish(["a"])
    retired = publish(["b"], path=entry.folder / "train.1.h5.retired")
    assert remove_retired(cache).bytes == kept.stat().st_size
    assert kept.exists()
    assert not retired.exists()
