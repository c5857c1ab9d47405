"""Digests of an earlier run that are wrong: the store forgets them, and the images are looked at again."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.extraction import STAT_CACHE, Extraction
from pipeline.images.stat_cache import Known, Stamps, StatCache

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


@pytest.fixture
def listed(photos: Photos, trusted_disk: None) -> list[Path]:
    """Nine pictures, last written to long ago."""
    paths = [*photos.add("train/cats", 4), *photos.add("train/dogs", 2), *photos.add("val/cats", 2)]
    paths += photos.add("test/dogs")
    for path in paths:
        os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.03)
    return paths


def misremember(cache: Path, *paths: Path) -> None:
    """Gives pictures digests of which nothing in the store says that they are wrong."""
    stamps = Stamps()
    with StatCache(cache / STAT_CACHE) as store:
        store.store(Known(str(path), stamps.of(path), bytes([i]) * 32) for i, path in enumerate(paths))


def remembered(cache: Path, path: Path) -> bytes | None:
    with StatCache(cache / STAT_CACHE) as store:
        return store.look_up([Known(str(path), Stamps().of(path))])[0]


@pytest.mark.parametrize("options", [{}, {"skip_bad": True}, {"rows_per_file": 2}, {"views": 2}])
def test_their_images_are_read_again_and_their_rows_go_on(
    options: dict[str, object],
    listed: list[Path],
    engine: CountingEngine,
    run: Run,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = [listed[1], listed[4], listed[7]]
    misremember(cache, *wrong)
    (extraction,) = run(**options)
    rows = sum(split.rows for split in extraction.splits.values())
    assert rows == (9 if "views" not in options else 21)
    assert extraction.failures == extraction.skipped == extraction.unfinished == []
    assert engine.computed == extraction.computed == rows
    said = capsys.readouterr().err
    assert "had wrong digests of" in said
    assert "changed while stage one" not in said
    engine.forget()
    (again,) = run(**options)
    assert engine.computed == again.computed == 0
    assert remembered(cache, wrong[0]) is not None


def test_the_rows_are_those_of_an_undisturbed_run(
    listed: list[Path], run: Run, cache: Path, assert_complete: Check
) -> None:
    misremember(cache, *listed[::2])
    (extraction,) = run()
    assert_complete(extraction)


def test_a_flipped_digest_in_the_store_costs_one_reading(
    listed: list[Path], engine: CountingEngine, run: Run, cache: Path, assert_complete: Check
) -> None:
    run()
    digest = remembered(cache, listed[3])
    content = bytearray((cache / STAT_CACHE).read_bytes())
    content[content.index(digest) + 5] ^= 4
    (cache / STAT_CACHE).write_bytes(content)
    engine.forget()
    (extraction,) = run()
    assert engine.computed == 0
    assert_complete(extraction)
    assert remembered(cache, listed[3]) == digest


def test_a_store_of_an_earlier_version_is_read_again_once(
    listed: list[Path], engine: CountingEngine, run: Run, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    (cache / STAT_CACHE).unlink()
    with closing(sqlite3.connect(cache / STAT_CACHE)) as connection, connection:
        connection.execute(
            "CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, "
            "digest BLOB) WITHOUT ROWID"
        )
    engine.forget()
    for _ in range(2):
        run()
    assert engine.computed == 0
    assert capsys.readouterr().err.count("of another version") == 1
    assert remembered(cache, listed[0]) is not None


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changes_while_stage_one_is_running_is_told_as_such(
    known: bool,
    listed: list[Path],
    photos: Photos,
    engine: CountingEngine,
    run: Run,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if known:
        run()
    new = photos.add("train/cats")[0]
    os.utime(new, ns=(10**18, 10**18))
    time.sleep(0.03)
    load = engine.load

    def first_change(*arguments: object) -> CountingEngine:
        photos.made += 1
        photos.write(str(new.relative_to(photos.root)))
        os.utime(new, ns=(10**18, 10**18))
        return load(*arguments)

    monkeypatch.setattr("pipeline.extraction.engines.keras.load", first_change)
    (extraction,) = run()
    assert [bad.reason for bad in extraction.failures] == [
        "it changed while stage one was running: run the same command again"
    ]
    assert extraction.splits["train"].failed == 1


def test_an_image_that_reads_differently_each_time_ends_as_changed(
    listed: list[Path], engine: CountingEngine, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing disk: nothing of the file changes, and its bytes do."""
    from pipeline.images.sources._files import FileSource

    read, times = FileSource.read, iter(range(100))

    def unsteady(source: FileSource, item: object) -> bytes:
        content = read(source, item)
        return content + bytes([next(times)]) if item.path == listed[0] else content

    monkeypatch.setattr(FileSource, "read", unsteady)
    (extraction,) = run()
    assert [bad.id for bad in extraction.failures] == ["train/cats/0000.png"]
    assert engine.loads <= 2
