"""Splits in several files: read as one, filled and published one by one, replaced only together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stumbling
from counting_engine import CountingEngine
from photos import Photos
from stumbler import STAGE

from pipeline.cache import open_features
from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.filling import PartialFile
from pipeline.cache.inspection import summaries, verify_cache
from pipeline.cache.reading import open_layout
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


@pytest.fixture
def pictures(photos: Photos) -> Photos:
    """Eleven training pictures, four of ``val``, and one of ``test``."""
    photos.add("train/cats", 6)
    photos.add("train/dogs", 5)
    photos.add("val/cats", 4)
    photos.add("test/dogs", 1)
    return photos


def names(entry: Entry) -> list[str]:
    return sorted(path.name for path in entry.folder.glob("*.h5*"))


def numbered(split: str, count: int) -> list[str]:
    return [f"{split}-{i:05}-of-{count:05}.h5" for i in range(count)]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 10, 11, 1000])
def test_files_are_read_as_one(
    rows: int, pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    (extraction,) = run(rows_per_file=rows)
    assert_complete(extraction)
    assert set(engine.seen.values()) == {1}
    files = extraction.splits["train"].files
    assert [len(open_layout(path).rows) for path in files] == [min(rows, 11 - i) for i in range(0, 11, rows)]
    (summary,) = summaries(extraction.entry.folder.parent.parent)
    assert summary["rows"] == {"train": 11, "val": 4, "test": 1}
    features = open_features(extraction.entry, "train")
    whole = features.to_memory()
    index = np.array([10, 0, 5, 5, 3])
    np.testing.assert_array_equal(features.read(index), whole[index])
    for number, path in enumerate(files):
        np.testing.assert_array_equal(open_layout(path).features, whole[number * rows :][:rows])


def test_a_second_run_changes_nothing_and_keeps_the_size(
    pictures: Photos, engine: CountingEngine, run: Run
) -> None:
    (first,) = run(rows_per_file=3)
    before = {path: path.stat().st_ino for path in first.entry.folder.iterdir()}
    engine.forget()
    (second,) = run()  # nobody says how many rows: it stays as it is
    assert (engine.loads, engine.computed) == (0, 0)
    assert {path: path.stat().st_ino for path in second.entry.folder.iterdir()} == before
    assert read_entry(second.entry.folder).rows_per_file == 3


@pytest.mark.parametrize(("first", "then"), [(None, 3), (3, None), (3, 2), (2, 4), (1, 100), (4, 1)])
def test_another_size_copies_all_rows(
    first: int | None,
    then: int | None,
    pictures: Photos,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
) -> None:
    run(rows_per_file=first)
    engine.forget()
    (extraction,) = run(rows_per_file=then)
    assert (engine.loads, engine.computed) == (0, 0)
    assert_complete(extraction)
    size = then or first
    assert names(extraction.entry) == sorted(
        name
        for split, rows in (("train", 11), ("val", 4), ("test", 1))
        for name in (numbered(split, -(-rows // size)) if rows > size else [f"{split}.h5"])
    )


def test_added_and_removed_pictures(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run(rows_per_file=3)
    engine.forget()
    added = pictures.add("train/cats", 1)  # twelve rows in four files: the same names
    (extraction,) = run()
    assert engine.computed == 1
    assert_complete(extraction)
    pictures.add("train/birds", 1)  # five files
    (extraction,) = run()
    assert engine.computed == 2
    assert names(extraction.entry) == sorted([*numbered("train", 5), *numbered("val", 2), "test.h5"])
    for path in added:
        path.unlink()
    for path in pictures.root.glob("train/dogs/*"):
        path.rename(pictures.root / "test/dogs" / path.name)
    (pictures.root / "train/dogs").rmdir()
    (extraction,) = run()
    assert engine.computed == 2
    assert_complete(extraction)


def test_views_stand_in_the_file_of_their_image(pictures: Photos, engine: CountingEngine, run: Run) -> None:
    (extraction,) = run(rows_per_file=7, views=2)
    assert [len(open_layout(path).rows) for path in extraction.splits["train"].files] == [6, 6, 6, 6, 6, 3]
    rows = open_features(extraction.entry, "train").rows
    assert rows.views.tolist() == [0, 1, 2] * 11
    assert rows.ids[::3] == rows.ids[1::3] == rows.ids[2::3]


def test_copies_in_other_files_are_computed_once(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    first = pictures.files("train")[0]
    for folder in ("train/dogs", "val/cats", "test/dogs"):
        (pictures.root / folder / "zz copy.png").write_bytes(first.read_bytes())
    (extraction,) = run(rows_per_file=2)
    assert set(engine.seen.values()) == {1}
    assert_complete(extraction)


def test_several_cuts_have_the_same_files(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run(rows_per_file=4, layers=("block5_pool",))
    engine.forget()
    both = run(layers=("block3_pool", "block5_pool"))
    assert engine.computed == 16
    assert len({tuple(names(extraction.entry)) for extraction in both}) == 1
    for extraction in both:
        assert_complete(extraction)


def test_a_bad_picture_holds_back_its_split_and_nothing_else_is_lost(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    bad = pictures.files("train")[4]
    whole = pictures.spoil(bad)
    (extraction,) = run(rows_per_file=3)
    assert extraction.unfinished == ["train"]
    assert extraction.entry.splits == ["val", "test"]
    waiting = "train-00001-of-00004.h5"
    assert names(extraction.entry) == sorted(
        [*set(numbered("train", 4)) - {waiting}, f"{waiting}.partial", *numbered("val", 2), "test.h5"]
    )
    engine.forget()
    bad.write_bytes(whole)
    (extraction,) = run()
    assert engine.computed == 1
    assert_complete(extraction)


def test_a_bad_picture_is_left_out_of_its_file(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    bad = pictures.files("train")[4]
    pictures.spoil(bad)
    (extraction,) = run(rows_per_file=3, skip_bad=True)
    assert set(engine.seen.values()) == {1}
    assert_complete(extraction, without=(bad,))
    sizes = [len(open_layout(path).rows) for path in extraction.splits["train"].files]
    assert sizes == [3, 2, 3, 2]
    records = [open_layout(path).header.skipped for path in extraction.splits["train"].files]
    assert [len(record) for record in records] == [0, 1, 0, 0]
    engine.forget()
    (again,) = run(skip_bad=True)
    assert (engine.loads, again.skipped) == (0, extraction.skipped)


def test_a_file_of_bad_pictures_alone_is_empty(
    pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    bad = pictures.files("train")[2:4]
    for path in bad:
        pictures.spoil(path)
    (extraction,) = run(rows_per_file=2, skip_bad=True)
    assert [len(open_layout(path).rows) for path in extraction.splits["train"].files] == [2, 0, 2, 2, 2, 1]
    assert_complete(extraction, without=bad)
    engine.forget()
    run(skip_bad=True)
    assert (engine.loads, engine.computed) == (0, 0)


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


@pytest.mark.parametrize("rows", [0, -1])
def test_a_size_that_is_none(rows: int, pictures: Photos, run: Run) -> None:
    with pytest.raises(UsageError, match=f"--rows-per-file {rows} is too small"):
        run(rows_per_file=rows)


def test_processes_share_the_files(
    pictures: Photos, cache: Path, run: Run, tmp_path: Path, assert_complete: Check
) -> None:
    pictures.add("train/cats", 40)
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    command = ["extract", "--data", pictures.root, "--cache", cache, "--batch-size", 4, *STAGE]
    started = [
        subprocess.Popen(
            [
                *map(str, [sys.executable, stumbling.__file__, "decode", 1, "go on", log, *command]),
                "--rows-per-file",
                "4",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for log in logs
    ]
    for process in started:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    computed = [pixels for log in logs if log.exists() for pixels in log.read_text().split()]
    assert len(computed) == len(set(computed)) == 56
    (extraction,) = run()
    assert_complete(extraction)
    assert not [one for one in verify_cache(cache) if one["problem"] or one["bad_rows"]]
    left = {path.name for path in extraction.entry.folder.iterdir()}
    assert left == {*numbered("train", 13), "val.h5", "test.h5", "spec.json", ".lock"}


def test_a_killed_run_goes_on_with_its_files(
    pictures: Photos, cache: Path, engine: CountingEngine, run: Run, tmp_path: Path, assert_complete: Check
) -> None:
    log = tmp_path / "log"
    command = [sys.executable, stumbling.__file__, "decode", 60, "hold", log, "extract"]
    command += ["--data", pictures.root, "--cache", cache, "--batch-size", 2, *STAGE, "--rows-per-file", 2]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reached\n"
        process.kill()
    done = sum(int(open_layout(path).done.sum()) for path in cache.glob("*/*/*.h5*"))
    (extraction,) = run()
    assert engine.computed == 16 - done
    assert_complete(extraction)
    assert read_entry(extraction.entry.folder).rows_per_file == 2
