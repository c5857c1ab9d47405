"""Splits in several files: read as one, filled and published one by one, replaced only together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache import open_features, reuse
from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.feature_file import open_feature_file, open_mapped
from pipeline.cache.format import FeatureFile
from pipeline.cache.inspection import summaries
from pipeline.errors import UsageError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


def names(entry: Entry) -> list[str]:
    return sorted(path.name for path in entry.folder.glob("*.h5*"))


def numbered(split: str, count: int) -> list[str]:
    return [f"{split}-{i:05}-of-{count:05}.h5" for i in range(count)]


@pytest.mark.parametrize(
    "rows", [1, 3, 10, 11, *(pytest.param(rows, marks=pytest.mark.torture) for rows in (2, 4, 1000))]
)
def test_files_are_read_as_one(
    rows: int, pictures: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    (extraction,) = run(rows_per_file=rows)
    assert_complete(extraction)
    assert set(engine.seen.values()) == {1}
    files = extraction.splits["train"].files
    assert [len(open_feature_file(path).rows) for path in files] == [
        min(rows, 11 - i) for i in range(0, 11, rows)
    ]
    (summary,) = summaries(extraction.entry.folder.parent.parent)
    assert summary["rows"] == {"train": 11, "val": 4, "test": 1}
    features = open_features(extraction.entry, "train")
    whole = features.to_memory()
    index = np.array([10, 0, 5, 5, 3])
    np.testing.assert_array_equal(features.read(index), whole[index])
    for number, path in enumerate(files):
        np.testing.assert_array_equal(open_feature_file(path).features, whole[number * rows :][:rows])


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


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (None, 3),
        (3, None),
        (3, 2),
        (4, 1),
        *(pytest.param(*sizes, marks=pytest.mark.torture) for sizes in ((2, 4), (1, 100))),
    ],
)
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
    assert [len(open_feature_file(path).rows) for path in extraction.splits["train"].files] == [
        6,
        6,
        6,
        6,
        6,
        3,
    ]
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


def test_a_file_that_holds_nothing_of_use_is_opened_once_for_all_portions(
    photos: Photos, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = photos.add("val/cats", 2)
    (other,) = run(name="other")
    for path in old:
        path.unlink()
    photos.add("val/cats", 3)
    opened = []

    def open_counted(path: Path) -> FeatureFile:
        opened.append(path)
        return open_mapped(path)

    monkeypatch.setattr(reuse, "open_mapped", open_counted)
    run(rows_per_file=1)
    # Once to learn whether it holds most of the images, and once for all portions.
    assert opened.count(other.entry.file("val")) == 2


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
    sizes = [len(open_feature_file(path).rows) for path in extraction.splits["train"].files]
    assert sizes == [3, 2, 3, 2]
    records = [open_feature_file(path).header.skipped for path in extraction.splits["train"].files]
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
    assert [len(open_feature_file(path).rows) for path in extraction.splits["train"].files] == [
        2,
        0,
        2,
        2,
        2,
        1,
    ]
    assert_complete(extraction, without=bad)
    engine.forget()
    run(skip_bad=True)
    assert (engine.loads, engine.computed) == (0, 0)


@pytest.mark.parametrize("rows", [0, -1])
def test_a_size_that_is_none(rows: int, pictures: Photos, run: Run) -> None:
    with pytest.raises(UsageError, match=f"--rows-per-file {rows} is too small"):
        run(rows_per_file=rows)
