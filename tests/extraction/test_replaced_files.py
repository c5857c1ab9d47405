"""Several files that take the place of others: readers see one state or the other, never a mixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache import open_features
from pipeline.cache.partial_file import PartialFile
from pipeline.errors import CacheMismatchError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


def test_files_of_several_states_are_refused(pictures: Photos, run: Run, tmp_path: Path) -> None:
    (extraction,) = run(rows_per_file=6)
    entry = extraction.entry
    old = entry.file("train-00000-of-00002").read_bytes()
    pictures.files("train")[0].rename(pictures.root / "train/cats/zz.png")
    run()
    assert len(open_features(entry, "train")) == 11
    entry.file("train-00000-of-00002").write_bytes(old)
    with pytest.raises(CacheMismatchError, match=r"00000-of-00002.*00001-of-00002.*different states"):
        open_features(entry, "train")
    run()
    assert len(open_features(entry, "train")) == 11


def test_readers_see_the_old_files_until_the_new_ones_are_whole(
    pictures: Photos,
    engine: CountingEngine,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    assert_complete: Check,
) -> None:
    (extraction,) = run(rows_per_file=4)
    seen: list[list[str]] = []
    publish = PartialFile.publish

    def look_first(partial: PartialFile, path: Path) -> None:
        seen.append(list(open_features(extraction.entry, "train").rows.ids))
        publish(partial, path)

    before = list(open_features(extraction.entry, "train").rows.ids)
    pictures.add("train/cats", 4)  # four files instead of three
    monkeypatch.setattr(PartialFile, "publish", look_first)
    (extraction,) = run()
    assert seen == [before] * 4
    assert_complete(extraction)


def test_files_of_the_same_names_are_replaced_when_all_are_whole(
    pictures: Photos,
    engine: CountingEngine,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    assert_complete: Check,
) -> None:
    run(rows_per_file=4)
    computed_before: list[int] = []
    publish = PartialFile.publish

    def note(partial: PartialFile, path: Path) -> None:
        computed_before.append(engine.computed)
        publish(partial, path)

    engine.forget()
    pictures.files("train")[0].unlink()
    pictures.add("train/dogs", 1)  # every row moves, and the number of files stays
    monkeypatch.setattr(PartialFile, "publish", note)
    (extraction,) = run()
    assert computed_before == [1, 1, 1]
    assert_complete(extraction)
    assert len(extraction.entry.retired()) == 1  # the one that holds the row of the removed picture


def test_files_that_are_gone_are_kept_aside(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run(rows_per_file=3)
    engine.forget()
    away = pictures.root.with_name("away")
    (pictures.root / "train").rename(away)
    pictures.add("train/cats", 2)
    pictures.add("train/dogs", 1)
    (without,) = run()
    assert_complete(without)
    assert len(without.entry.retired()) == 4
    for path in (pictures.root / "train").glob("*/*"):
        path.rename(away / path.relative_to(pictures.root / "train"))
    (pictures.root / "train/cats").rmdir()
    (pictures.root / "train/dogs").rmdir()
    (pictures.root / "train").rmdir()
    away.rename(pictures.root / "train")
    (back,) = run()
    assert engine.computed == 3
    assert back.entry.retired() == []
    assert_complete(back)
