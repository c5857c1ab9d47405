"""``--skip-bad``: published without what cannot be read, recorded, and tried again once it has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.feature_file import open_feature_file
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


def test_skipping_publishes_without_it_and_records_it(
    bad: Path, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    (extraction,) = run(skip_bad=True)
    assert extraction.failures == []
    assert [failure.id for failure in extraction.skipped] == [str(bad.relative_to(photos.root))]
    assert (extraction.unfinished, extraction.computed) == ([], 10)
    assert set(engine.seen.values()) == {1}
    (record,) = open_feature_file(extraction.entry.file("train")).header.skipped
    assert record["id"] == str(bad.relative_to(photos.root))
    assert "truncated" in record["reason"]
    assert_complete(extraction, without=(bad,))
    assert extraction.entry.retired() == []

    engine.forget()
    (again,) = run(skip_bad=True)
    assert (engine.loads, engine.computed) == (0, 0)
    assert again.skipped == extraction.skipped


def test_skipping_after_a_run_that_held_back_computes_nothing(
    bad: Path, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run()
    engine.forget()
    (extraction,) = run(skip_bad=True)
    assert engine.computed == 0
    assert_complete(extraction, without=(bad,))


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_mended_image_is_computed(
    skip_bad: bool, bad: Path, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run(skip_bad=True)
    engine.forget()
    photos.write(str(bad.relative_to(photos.root)))
    (extraction,) = run(skip_bad=skip_bad)
    assert engine.computed == extraction.computed == 1
    assert open_feature_file(extraction.entry.file("train")).header.skipped == ()
    assert_complete(extraction)


def test_without_skipping_a_recorded_image_is_tried_again(bad: Path, run: Run) -> None:
    run(skip_bad=True)
    (extraction,) = run()
    assert [failure.id for failure in extraction.failures] == ["train/cats/0001.png"]
    assert extraction.entry.splits == ["train", "val", "test"]  # what is published stays until it is whole


def test_copies_of_a_corrupt_image_are_all_listed_and_tried_once(
    bad: Path, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    copies = [photos.root / "train/dogs/copy.png", photos.root / "test/cats/copy.png"]
    for copy in copies:
        copy.write_bytes(bad.read_bytes())
    (extraction,) = run()
    assert len(extraction.failures) == 3
    assert extraction.unfinished == ["train", "test"]
    engine.forget()
    (skipped,) = run(skip_bad=True)
    assert len(skipped.skipped) == 3
    assert_complete(skipped, without=(bad, *copies))
    run(skip_bad=True)
    assert engine.loads == 1


def test_more_corrupt_images_are_added_to_the_record(
    bad: Path, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run(skip_bad=True)
    first = photos.write("train/cats/0000a.png")
    photos.spoil(first)
    engine.forget()
    (extraction,) = run(skip_bad=True)
    assert {failure.id for failure in extraction.skipped} == {"train/cats/0000a.png", "train/cats/0001.png"}
    assert_complete(extraction, without=(first, bad))
    place = extraction.entry.file("train").stat().st_ino
    engine.forget()
    run(skip_bad=True)
    assert engine.loads == 0
    assert extraction.entry.file("train").stat().st_ino == place


def test_a_renamed_corrupt_image_is_not_tried_again(
    bad: Path, photos: Photos, engine: CountingEngine, run: Run
) -> None:
    run(skip_bad=True)
    engine.forget()
    bad.rename(bad.with_name("renamed.png"))
    (extraction,) = run(skip_bad=True)
    assert engine.loads == 0
    assert [failure.id for failure in extraction.skipped] == ["train/cats/renamed.png"]
