"""What ``extract`` says that it understood: classes, splits, labels, what was left out, and notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from counting_engine import BACKBONE, CountingEngine
from photos import Photos

from pipeline.extraction import Extraction, FeatureRequest, extract
from pipeline.extraction.understood import MOST_LINES, UNREADABLE, Understood
from pipeline.images import LeftOut

Run = Callable[..., list[Extraction]]


@pytest.fixture
def split_photos(photos: Photos) -> Photos:
    photos.add("train/cats", 3)
    photos.add("train/dogs", 1)
    photos.add("val/cats", 2)
    photos.add("test/dogs", 1)
    return photos


def test_classes_of_each_split(
    split_photos: Photos, engine: CountingEngine, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (extraction,) = run()
    described = extraction.to_json()
    assert described["classes"] == {
        "cats": {"train": 3, "val": 2, "test": 0},
        "dogs": {"train": 1, "val": 0, "test": 1},
    }
    assert described["unlabelled"] == {"train": 0, "val": 0, "test": 0}
    assert described["left_out"] == []
    said = capsys.readouterr().err.splitlines()
    assert "photos: 7 images, 2 classes" in said
    assert ["dogs", "1", "0", "1"] in [line.split() for line in said]


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (
            ["train/cats", "train/dogs", "test/cats"],
            "the source states no val: val is 2 images of the 16 of train",
        ),
        (
            ["cats", "dogs"],
            "the source states no splits: each image has one by its content (train 70%, val 15%,",
        ),
        (["train/cats", "val/cats", "val/dogs"], "no images in train of: dogs"),
    ],
    ids=["val is carved", "no splits", "an empty class"],
)
def test_notes(folders: list[str], expected: str, photos: Photos, engine: CountingEngine, run: Run) -> None:
    for folder in folders:
        photos.add(folder, 8)
    (extraction,) = run()
    assert any(expected in note for note in extraction.to_json()["notes"])


def test_a_source_that_states_all_splits_needs_no_note(
    split_photos: Photos, engine: CountingEngine, run: Run
) -> None:
    split_photos.add("val/dogs")
    split_photos.add("test/cats")
    (extraction,) = run()
    assert extraction.to_json()["notes"] == []


def test_rows_without_label(
    tmp_path: Path, photos: Photos, engine: CountingEngine, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = photos.add("all", 4)
    lines = [f"{names[0]},cats,train", f"{names[1]},dogs,train", f"{names[2]},,train", f"{names[3]},cats,val"]
    table = tmp_path / "set.csv"
    table.write_text("\n".join(["path,label,split", *lines]) + "\n")
    (extraction,) = extract(str(table), FeatureRequest(batch_size=4, **BACKBONE), cache=cache)
    described = extraction.to_json()
    assert described["unlabelled"] == {"train": 1, "val": 0}
    assert any(note.startswith("1 image without a label (train 1)") for note in described["notes"])
    said = capsys.readouterr().err.splitlines()
    assert [f"note: {note}" for note in described["notes"]] == [one for one in said if "note: " in one]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_images_that_cannot_be_read_are_left_out_and_not_counted(
    skip_bad: bool, split_photos: Photos, engine: CountingEngine, run: Run
) -> None:
    (bad,) = split_photos.add("train/cats")
    split_photos.spoil(bad)
    (extraction,) = run(skip_bad=skip_bad)
    described = extraction.to_json()
    assert described["classes"]["cats"] == {"train": 3, "val": 2, "test": 0}
    name = bad.relative_to(split_photos.root).as_posix()
    assert described["left_out"] == [{"what": UNREADABLE, "count": 1, "examples": [name]}]
    named = described["skipped" if skip_bad else "failures"]
    assert [one["id"] for one in named] == [name]


def test_many_classes_take_few_lines() -> None:
    counts = np.arange(MOST_LINES + 100)
    names = tuple(f"class{i:03d}" for i in range(len(counts)))
    understood = Understood("many", names, {"train": counts * 1_000_000}, {"train": 7})
    lines = understood.lines
    assert len(lines) <= MOST_LINES
    assert ["class111", "111,000,000"] in [line.split() for line in lines]
    assert ["class000", "0"] in [line.split() for line in lines]
    assert ["(no", "label)", "7"] in [line.split() for line in lines]
    assert any("106 classes between" in line for line in lines)
    assert len(understood.to_json()["classes"]) == len(names)


def test_what_is_left_out_is_told_to_scripts() -> None:
    left, counts = LeftOut("files that are no images", 2, ("notes.txt",)), {"train": np.ones(1, int)}
    understood = Understood("set", ("a",), counts, {"train": 0}, (left,), ("a note",), ("a split",))
    described = understood.to_json()
    assert described["left_out"] == [
        {"what": "files that are no images", "count": 2, "examples": ["notes.txt"]}
    ]
    assert described["notes"] == ["a note", "a split"]
