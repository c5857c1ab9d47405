"""``pipeline extract``: what it prints, and the codes it ends with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from counting_engine import CountingEngine
from photos import Photos

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]

KEYS = [
    "entry",
    "layer",
    "engine",
    "precision",
    "weights",
    "splits",
    "failures",
    "skipped",
    "timings",
    "bottleneck",
    "measured",
    "bound",
    "damaged",
    "left_alone",
    "pixel_range",
    "classes",
    "unlabelled",
    "left_out",
    "notes",
]


def test_a_run_prints_its_entry_and_its_splits(extract: Cli, some_photos: Photos) -> None:
    result = extract()
    assert result.exit_code == 0
    first, *lines = result.stdout.splitlines()
    assert first.startswith("features_cache/photos/vgg16-32-block5_pool-")
    assert Path(first, "train.h5").is_file()
    assert [line.split(",")[0].split() for line in lines[:3]] == [
        ["train", "12", "rows:", "12", "computed"],
        ["val", "6", "rows:", "6", "computed"],
        ["test", "8", "rows:", "8", "computed"],
    ]
    assert "images/s" in lines[0]
    again = extract().stdout.splitlines()
    assert "0 computed, 12 reused" in again[1]
    assert "images/s" not in again[1]


def test_json_is_one_object(extract: Cli, some_photos: Photos, the_object: Read) -> None:
    result = extract("--json")
    assert result.exit_code == 0
    described = the_object(result)
    assert list(described) == KEYS
    assert described["splits"]["test"]["computed"] == 8


def test_json_of_several_cuts_is_one_object(extract: Cli, some_photos: Photos, the_object: Read) -> None:
    described = the_object(extract("--json", "--layer", "block1_pool", "--layer", "block2_pool:avg"))
    assert list(described) == [*KEYS, "entries"]
    assert [entry["layer"] for entry in described["entries"]] == ["block1_pool", "block2_pool"]
    assert described["entries"][0] == {key: described[key] for key in KEYS}


def test_a_corrupt_image_is_listed_and_ends_with_3(extract: Cli, some_photos: Photos) -> None:
    some_photos.spoil(some_photos.root / "train/cats/0001.png")
    result = extract()
    assert result.exit_code == 3
    assert "unreadable: 'train/cats/0001.png': " in result.stderr
    assert "truncated" in result.stderr
    assert result.stderr.splitlines()[-1] == (
        "pipeline: 1 image could not be read, so train is not published; all other rows are finished and "
        "kept. Mend or remove them and run again, or add --skip-bad"
    )
    assert "train        12 rows: 11 computed, 0 reused, 1 failed" in result.stdout
    assert "NOT PUBLISHED" in result.stdout


def test_json_of_a_failure_is_one_object(extract: Cli, some_photos: Photos, the_object: Read) -> None:
    some_photos.spoil(some_photos.root / "train/cats/0001.png")
    result = extract("--json")
    assert result.exit_code == 3
    described = the_object(result)
    assert list(described) == KEYS
    assert [failure["id"] for failure in described["failures"]] == ["train/cats/0001.png"]
    assert list(described["failures"][0]) == ["id", "reason"]
    assert described["splits"]["train"]["failed"] == 1
    assert described["splits"]["train"]["files"][0].endswith("train.h5.partial")


def test_skipping_publishes_and_says_so(extract: Cli, some_photos: Photos) -> None:
    some_photos.spoil(some_photos.root / "train/cats/0001.png")
    result = extract("--skip-bad")
    assert result.exit_code == 0
    assert "unreadable: 'train/cats/0001.png': " in result.stderr
    assert "published without 1 unreadable image, which the file records" in result.stderr
    assert "train        11 rows: 11 computed" in result.stdout


def test_only_the_first_failures_are_listed(extract: Cli, photos: Photos, the_object: Read) -> None:
    for path in photos.add("train/cats", 23):
        photos.spoil(path)
    photos.add("train/cats")
    photos.add("val/cats")
    result = extract()
    assert result.stderr.count("unreadable: ") == 20
    assert "... and 3 more (all of them with --json)" in result.stderr
    assert len(the_object(extract("--json"))["failures"]) == 23


def test_notes_of_the_source_go_to_stderr(extract: Cli, some_photos: Photos, the_object: Read) -> None:
    (some_photos.root / "train/cats/notes.txt").write_text("not an image")
    result = extract("--json")
    assert "note: left out files that are no images (1): train/cats/notes.txt" in result.stderr
    the_object(result)


@pytest.mark.parametrize("option", ["--data", "--backbone", "--layer", "--image-size", "--batch-size"])
def test_an_option_without_its_value_ends_with_2(option: str, extract: Cli) -> None:
    result = extract(option)
    assert result.exit_code == 2
    assert option in result.stderr


def test_an_interrupt_ends_with_130(
    extract: Cli, some_photos: Photos, engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(images: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "submit", interrupt)
    result = extract("--json")
    assert result.exit_code == 130
    message = "stopped. Whatever was finished is kept; run the same command to continue"
    assert result.stderr.splitlines()[-1] == f"pipeline: {message}"
    assert json.loads(result.stdout) == {"error": message, "exit_code": 130}


def test_another_source_of_the_same_name_is_refused(
    extract: Cli, cli: Cli, some_photos: Photos, tmp_path: Path, engine: CountingEngine
) -> None:
    extract()
    other = Photos(tmp_path / "elsewhere" / "photos", made=100)
    other.add("train/cats", 2)
    other.add("val/cats")
    engine.forget()
    arguments = ["extract", "--data", other.root, "--backbone", "vgg16", "--image-size", 32]
    arguments += ["--weights", "random", "--engine", "keras"]
    result = cli(*arguments)
    assert result.exit_code == 2
    assert (
        f"the name 'photos' belongs to {some_photos.root} in this cache, not to {other.root}" in result.stderr
    )
    assert "tell them apart with --name" in result.stderr
    assert engine.loads == 0
    result = cli(*arguments, "--name", "others")
    assert result.exit_code == 0
    assert engine.computed == 3
