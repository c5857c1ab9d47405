"""A published entry that was damaged is mended by the same command, and only what is broken is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.inspection import verify_cache
from pipeline.errors import ForeignFileError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


@pytest.fixture
def entry(photos: Photos, engine: CountingEngine, run: Run) -> Entry:
    """An entry with five rows for training and two for testing."""
    photos.add("train/cats", 5)
    photos.add("val/cats")
    photos.add("test/cats", 2)
    (extraction,) = run()
    engine.forget()
    return extraction.entry


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


@pytest.mark.parametrize(
    ("column", "content"), [("features", b"\xff\xff"), ("crc32", b"\1\2"), ("done", b"\0")]
)
def test_one_damaged_row_costs_one_row(
    column: str, content: bytes, entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    path = entry.file("train")
    overwrite(path, open_feature_file(path).offsets[column], content)
    (extraction,) = run()
    assert (engine.computed, extraction.computed) == (1, 1)
    assert extraction.splits["train"].reused == 4
    assert extraction.entry.retired() == []
    assert_complete(extraction)


def test_a_damaged_header_costs_its_file(
    entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    overwrite(entry.file("test"), 8, b"damage")
    (extraction,) = run()
    assert engine.computed == 2
    assert_complete(extraction)


@pytest.mark.parametrize("content", [b"", bytes(5000)])
def test_a_file_that_holds_nothing_is_replaced(
    content: bytes, entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    entry.file("test").write_bytes(content)
    entry.partial("train").write_bytes(content)
    (extraction,) = run()
    assert engine.computed == 2
    assert_complete(extraction)
    assert sorted(path.name for path in entry.folder.iterdir()) == [
        ".lock",
        "spec.json",
        "test.h5",
        "train.h5",
        "val.h5",
    ]


def test_a_file_of_somebody_else_is_set_aside_and_named(
    entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    entry.file("test").write_text("my thesis")
    entry.partial("train").write_text("my other thesis")
    (extraction,) = run()
    assert engine.computed == 2
    assert_complete(extraction)
    assert [path.read_text() for path in entry.retired()] == ["my thesis", "my other thesis"]
    assert [one.to_json() for one in extraction.left] == [
        {"file": str(path), "reason": "was not made by this package"} for path in entry.retired()
    ]
    assert (
        f"{entry.retired()[0]} was not made by this package: it is left as it is" in capsys.readouterr().err
    )
    (again,) = run()
    assert [one.path for one in again.left] == entry.retired()


def test_a_spec_of_somebody_else_is_not_written_over(entry: Entry, run: Run) -> None:
    file = entry.folder / "spec.json"
    file.write_text('{"openapi": "3.1.0"}')
    with pytest.raises(ForeignFileError, match=r"spec\.json was not made by this package; nothing"):
        run()
    assert file.read_text() == '{"openapi": "3.1.0"}'


def test_a_file_that_was_removed_is_made_again(
    entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    entry.file("test").unlink()
    (extraction,) = run()
    assert engine.computed == 2
    assert_complete(extraction)


@pytest.mark.parametrize("content", [None, "{}", "", '{\n  "dataset": "pho'])
def test_an_edited_or_lost_spec_is_written_anew(
    content: str | None, entry: Entry, engine: CountingEngine, run: Run
) -> None:
    file = entry.folder / "spec.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    run()
    assert engine.loads == 0
    assert read_entry(entry.folder) == entry


def test_swapped_splits_are_put_right(
    entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    train, test = entry.file("train"), entry.file("test")
    train.rename(train.with_name("swap"))
    test.rename(train)
    train.with_name("swap").rename(test)
    (extraction,) = run()
    assert engine.computed == 0
    assert_complete(extraction)


def test_verify_finds_nothing_after_a_repair(entry: Entry, run: Run, cache: Path) -> None:
    overwrite(entry.file("train"), open_feature_file(entry.file("train")).offsets["features"], b"\xff\xff")
    assert any(finding["bad_rows"] for finding in verify_cache(cache))
    run()
    assert not any(finding["bad_rows"] or finding["problem"] for finding in verify_cache(cache))


def test_a_backup_of_hard_links_is_not_written_to(
    entry: Entry, photos: Photos, run: Run, engine: CountingEngine, assert_complete: Check, tmp_path: Path
) -> None:
    photos.add("train/cats", 2)
    entry.file("train").rename(entry.partial("train"))
    backup = tmp_path / "backup"
    backup.mkdir()
    for path in entry.folder.iterdir():
        (backup / path.name).hardlink_to(path)
    before = {path.name: path.read_bytes() for path in backup.iterdir()}
    (extraction,) = run()
    assert engine.computed == 2
    assert_complete(extraction)
    assert {path.name: path.read_bytes() for path in backup.iterdir()} == before
