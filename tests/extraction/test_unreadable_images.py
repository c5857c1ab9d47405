"""Images that cannot be read: listed with a reason, all others finished and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.feature_file import open_feature_file
from pipeline.errors import PipelineError, UnreadableImagesError
from pipeline.extraction import Extraction
from pipeline.images import ImageItem
from pipeline.images.sources._files import FileSource

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of pictures whose files refuse to be read."""
    names: set[str] = set()
    read = FileSource.read

    def refuse(self: FileSource, item: ImageItem) -> bytes:
        if Path(item.id).name in names:
            raise PermissionError(13, "Permission denied")
        return read(self, item)

    monkeypatch.setattr(FileSource, "read", refuse)
    return names


def test_a_corrupt_image_holds_back_its_split_alone(
    bad: Path, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    (extraction,) = run()
    (failure,) = extraction.failures
    assert failure.id == str(bad.relative_to(photos.root))
    assert "truncated" in failure.reason
    assert extraction.unfinished == ["train"]
    assert extraction.entry.splits == ["val", "test"]
    train = extraction.splits["train"]
    assert (train.rows, train.computed, train.failed) == (7, 6, 1)
    assert open_feature_file(extraction.entry.partial("train")).done.sum() == 6
    assert train.files == [extraction.entry.partial("train")]

    engine.forget()
    (again,) = run()
    assert engine.computed == 0
    assert again.failures == extraction.failures


def test_all_images_corrupt(photos: Photos, run: Run) -> None:
    for path in photos.add("train/cats", 3):
        photos.spoil(path)
    (extraction,) = run()
    assert len(extraction.failures) == 3
    assert extraction.entry.splits == []
    with pytest.raises(PipelineError, match=r"no image of .*photos can be read: check the files"):
        run(skip_bad=True)


def test_a_file_that_cannot_be_read_holds_back_its_split(
    photos: Photos, engine: CountingEngine, run: Run, unreadable: set[str], assert_complete: Check
) -> None:
    locked = photos.add("train/cats", 4)[2]
    photos.add("val/cats")
    unreadable.add(locked.name)
    (extraction,) = run()
    assert [(failure.id, failure.reason) for failure in extraction.failures] == [
        (f"train/cats/{locked.name}", "Permission denied")
    ]
    assert extraction.unfinished == ["train"]
    assert engine.computed == 4
    (skipping,) = run(skip_bad=True)
    assert_complete(skipping, without=(locked,))
    unreadable.clear()
    engine.forget()
    (extraction,) = run(skip_bad=True)
    assert engine.computed == 1
    assert_complete(extraction)


def test_a_file_that_cannot_be_read_now_may_be_later(
    photos: Photos, engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch, assert_complete: Check
) -> None:
    flaky = photos.add("train/cats", 4)[2]
    photos.add("val/cats")
    read, reads = FileSource.read, []

    def fail_second(self: FileSource, item: ImageItem) -> bytes:
        reads.extend([item.id] if Path(item.id).name == flaky.name else [])
        if len(reads) == 2 and Path(item.id).name == flaky.name:
            raise OSError(5, "Input/output error")
        return read(self, item)

    monkeypatch.setattr(FileSource, "read", fail_second)
    (extraction,) = run(skip_bad=True)
    assert [failure.reason for failure in extraction.skipped] == ["Input/output error"]
    (extraction,) = run(skip_bad=True)
    assert engine.computed == 5
    assert_complete(extraction)


def test_a_split_that_cannot_be_read_stays_published(
    photos: Photos, engine: CountingEngine, run: Run, unreadable: set[str]
) -> None:
    photos.add("train/cats", 4)
    photos.add("val/cats")
    tests = photos.add("test/cats", 2)
    run()
    unreadable.update(path.name for path in tests)
    (extraction,) = run()
    assert len(extraction.failures) == 2
    assert extraction.entry.splits == ["train", "val", "test"]
    assert engine.computed == 7


def test_nothing_can_be_read(photos: Photos, run: Run, unreadable: set[str]) -> None:
    unreadable.update(path.name for path in photos.add("train/cats", 2))
    with pytest.raises(UnreadableImagesError, match=r"not one of the 2 images of .* can be read") as caught:
        run(skip_bad=True)
    assert caught.value.exit_code == 3


def test_a_file_that_changes_under_way_fails_alone(
    photos: Photos, engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch, assert_complete: Check
) -> None:
    changing = photos.add("train/cats", 4)[1]
    photos.add("val/cats")
    load = engine.load

    def change_and_load(*arguments: object) -> CountingEngine:
        photos.write("train/cats/" + changing.name)
        return load(*arguments)

    monkeypatch.setattr("pipeline.extraction.engines.keras.load", change_and_load)
    (extraction,) = run()
    assert [(failure.id, failure.reason) for failure in extraction.failures] == [
        (f"train/cats/{changing.name}", "it changed while stage one was running: run the same command again")
    ]
    assert extraction.unfinished == ["train"]
    engine.forget()
    engine.install(monkeypatch)
    (extraction,) = run()
    assert engine.computed == 1
    assert_complete(extraction)
