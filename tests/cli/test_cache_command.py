"""``pipeline cache ls|show|verify|rm|gc``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from photos import Photos

from pipeline.cache.feature_file import open_feature_file
from pipeline.cli import main

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def entry(extract: Cli, some_photos: Photos) -> Path:
    """Folder of an entry with 12, 6 and 8 rows."""
    return Path(extract().stdout.splitlines()[0])


@pytest.fixture
def damaged(entry: Path) -> Path:
    """The training file of the entry, one byte of row 2 flipped."""
    layout = open_feature_file(entry / "train.h5")
    with open(layout.path, "r+b") as file:
        file.seek(layout.offsets["features"] + 2 * 72)
        file.write(b"\xff\xff")
    return layout.path


def test_ls_lists_entries(entry: Path, cli: Cli, the_object: Read) -> None:
    assert cli("cache", "ls").stdout.startswith(f"{entry}  train 12, val 6, test 8  ")
    (listed,) = the_object(cli("cache", "ls", "--json"))["entries"]
    assert list(listed) == ["entry", "source", "rows", "bytes", "told_apart_by", "left_alone"]
    assert listed["told_apart_by"] == []
    assert listed["rows"] == {"train": 12, "val": 6, "test": 8}


def test_ls_of_nothing_says_what_to_run(cli: Cli, the_object: Read) -> None:
    assert cli("cache", "ls").stdout == "features_cache holds no features: run `pipeline extract`\n"
    assert the_object(cli("cache", "ls", "--json")) == {"entries": []}


def test_ls_shows_what_is_not_published(extract: Cli, some_photos: Photos, cli: Cli) -> None:
    for path in list(some_photos.root.rglob("*.png")):
        some_photos.spoil(path)
    extract()
    assert "nothing published" in cli("cache", "ls").stdout
    result = cli("cache", "rm", "--data", some_photos.root, input="y\n")
    assert "with nothing published?" in result.stderr
    assert "holds no features" in cli("cache", "ls").stdout


def test_ls_shows_what_differs(extract: Cli, some_photos: Photos, cli: Cli, the_object: Read) -> None:
    for options in ([], ["--views", "2"], ["--name", "zoo"]):
        assert extract(*options).exit_code == 0
    plain, augmented, zoo = sorted(cli("cache", "ls").stdout.splitlines(), key=lambda line: line[-9:])
    assert plain.endswith("MB  --views 0")
    assert augmented.endswith("MB  --views 2")
    assert "/zoo/" in zoo


def test_verify_of_some_entries(damaged: Path, extract: Cli, cli: Cli, the_object: Read) -> None:
    extract("--name", "zoo")
    assert cli("cache", "verify").exit_code == 4
    sound = the_object(cli("cache", "verify", "--entry", "zoo/vgg16", "--json"))
    assert {Path(file["file"]).parts[1] for file in sound["files"]} == {"zoo"}
    assert sound["bad"] == 0
    result = cli("cache", "verify", "--entry", "nothing")
    assert result.exit_code == 2
    assert "no entry 'nothing' in features_cache" in result.stderr
    assert "`pipeline cache ls --cache features_cache` lists what is there" in result.stderr


def test_show_tells_all_about_an_entry(entry: Path, some_photos: Photos, cli: Cli, the_object: Read) -> None:
    described = the_object(cli("cache", "show", "--data", some_photos.root, "--json"))
    assert list(described) == ["entry", "source", "weights", "spec", "files"]
    assert described["entry"] == str(entry)
    assert [file["rows"] for file in described["files"]] == [8, 12, 6]
    assert json.loads(cli("cache", "show", "--data", some_photos.root).stdout) == described


def test_verify_of_a_sound_cache(entry: Path, cli: Cli, the_object: Read) -> None:
    result = cli("cache", "verify")
    assert result.exit_code == 0
    assert f"ok   {entry}/train.h5: 12 rows" in result.stdout
    described = the_object(cli("cache", "verify", "--json"))
    assert list(described) == ["files", "bad", "left_alone"]
    assert described["bad"] == 0


def test_verify_names_damaged_rows_and_ends_with_4(damaged: Path, cli: Cli, the_object: Read) -> None:
    result = cli("cache", "verify")
    assert result.exit_code == 4
    assert f"BAD  {damaged}: 12 rows\n       row 2: 'train/cats/0002.png'\n" in result.stdout
    assert "pipeline: 1 of 4 files is damaged: run the `pipeline extract` that made them" in result.stderr
    result = cli("cache", "verify", "--json")
    assert result.exit_code == 4
    described = the_object(result)
    assert described["bad"] == 1
    (bad,) = (file["bad_rows"] for file in described["files"] if file["bad_rows"])
    assert bad == [{"row": 2, "id": "train/cats/0002.png"}]


def test_verify_names_files_that_cannot_be_read(entry: Path, cli: Cli) -> None:
    (entry / "val.h5").write_text("no feature file")
    (entry / "spec.json").write_text("{}")
    result = cli("cache", "verify")
    assert result.exit_code == 4
    assert f"BAD  {entry}/val.h5: {entry}/val.h5 is no readable feature file" in result.stdout
    assert f"BAD  {entry}/spec.json" in result.stdout
    assert "2 of 4 files are damaged" in result.stderr


def test_extract_repairs_what_verify_found(damaged: Path, extract: Cli, cli: Cli) -> None:
    assert "train        12 rows: 1 computed, 11 reused" in extract().stdout
    assert cli("cache", "verify").exit_code == 0


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_rm_asks_first(answer: str, entry: Path, some_photos: Photos) -> None:
    arguments = ["cache", "rm", "--data", str(some_photos.root)]
    result = CliRunner().invoke(main, arguments, input=answer)
    assert result.exit_code == 1
    assert f"Remove {entry} with train, val, test?" in result.stderr
    assert (entry / "train.h5").exists()


def test_rm_removes_after_a_yes(entry: Path, some_photos: Photos) -> None:
    result = CliRunner().invoke(main, ["cache", "rm", "--data", str(some_photos.root)], input="y\n")
    assert result.exit_code == 0
    assert result.stdout.startswith("freed 0.")
    assert not entry.exists()


def test_rm_without_asking(entry: Path, some_photos: Photos, cli: Cli, the_object: Read) -> None:
    size = sum(path.stat().st_size for path in entry.iterdir())
    result = cli("cache", "rm", "--data", some_photos.root, "--yes", "--json")
    assert the_object(result) == {"entry": str(entry), "freed": size, "left_alone": []}
    assert not entry.exists()


def test_gc_removes_what_only_retired_files_hold(
    entry: Path, extract: Cli, some_photos: Photos, cli: Cli, the_object: Read
) -> None:
    for path in some_photos.root.glob("*/dogs/*"):
        path.unlink()
    for path in some_photos.root.glob("*/dogs"):
        path.rmdir()
    extract()
    assert len(list(entry.glob("*.retired"))) == 3
    freed = the_object(cli("cache", "gc", "--json"))["freed"]
    assert freed > 0
    assert list(entry.glob("*.retired")) == []
    assert cli("cache", "gc").stdout == "freed 0.0 MB\n"
    assert cli("cache", "verify").exit_code == 0
