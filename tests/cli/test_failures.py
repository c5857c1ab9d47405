"""Bad input: one clear line on stderr, no traceback, the exit code of its kind, one object with --json."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import Result
from photos import Photos

from pipeline import __version__
from pipeline.errors import UsageError

Cli = Callable[..., Result]


class Usage(NamedTuple):
    total: int = 0
    used: int = 0
    free: int = 0


STORED = "--data {photos} --cache {cache}"

BAD_INPUT = [
    ("extrakt", 2, r"unknown command 'extrakt' \(did you mean 'extract'\?\): choose from extract"),
    (
        "cache verifi",
        2,
        r"unknown command 'verifi' \(did you mean 'verify'\?\): choose from export, gc, import, ls",
    ),
    ("extract --backbone vgg_16", 2, r"unknown backbone 'vgg_16' \(did you mean 'vgg16'\?\): choose"),
    ("extract --image-size 16", 2, "--image-size 16 is too small for vgg16: it needs at least 32"),
    ("extract --image-size large", 2, "'large' is not a valid integer"),
    ("extract --precision fp16", 2, "unknown precision 'fp16'.*: choose from auto, float32, bfloat16"),
    ("extract --store int8", 2, "unknown store 'int8'.*: choose from float16, float32"),
    ("extract --batch-size 0", 2, "--batch-size 0 is too small: give auto, or 1 or more"),
    ("extract --backbone pixels --layer x", 2, "pixels has no layers and no pooling"),
    ("extract --data nowhere", 2, "'nowhere' does not exist"),
    ("extract --data {empty}", 2, "holds no images: expected <class>/image.jpg"),
    ("extract --data {no_class}", 2, "holds no images, in train/cats/ and wherever else"),
    ("extract --data {no_split}", 2, "the test folder .* holds no images"),
    ("extract --data {photos} --weights nowhere.h5", 2, "weights 'nowhere.h5' is not a file: choose"),
    ("extract --data {photos} --backbone pixels --cache {file}/sub", 1, "cannot write .*: Not a directory"),
    ("train-head --split test", 2, "No such option '--split'"),
    ("evaluate --split tset", 2, "'tset' is not one of 'train', 'val', 'test'"),
    (f"train-head {STORED} --head logrg", 2, r"unknown head 'logrg' \(did you mean 'logreg'\?\): choose"),
    (f"evaluate {STORED} --head logrg", 2, r"unknown head 'logrg' \(did you mean 'logreg'\?\): choose"),
    (f"evaluate {STORED}", 2, "no trained head at .*: `pipeline train-head --head logreg`"),
    (f"train-head {STORED} --set C", 2, "--set 'C' is not NAME=VALUE"),
    (f"train-head {STORED} --set depth=3", 2, "'depth'.*choose from C, max_iter, tol"),
    ("cache show --cache nowhere", 2, "no features in nowhere match these options. Run `pipeline extract"),
]


@pytest.fixture
def places(cli: Cli, some_photos: Photos, tmp_path: Path) -> dict[str, Path]:
    """Folders that are usable (``photos`` with its ``cache``) or not, each in a way of its own."""
    folders = ("empty", "no_class/train/cats", "no_class/train/dogs", "no_split/train/cats", "no_split/test")
    for name in folders:
        (tmp_path / name).mkdir(parents=True)
    Photos(tmp_path / "no_split").add("train/cats")
    (tmp_path / "file").write_text("")
    places = {name: tmp_path / name for name in ("empty", "no_class", "no_split", "file", "cache")}
    places["photos"] = some_photos.root
    options = ["--backbone", "pixels", "--image-size", 8]
    made = cli("extract", "--data", places["photos"], "--cache", places["cache"], *options)
    assert made.exit_code == 0
    return places


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(("command", "code", "message"), BAD_INPUT, ids=[case[0] for case in BAD_INPUT])
def test_bad_input(
    command: str, code: int, message: str, as_json: bool, cli: Cli, places: dict[str, Path]
) -> None:
    words = [word.format(**places) for word in command.split()]
    result = cli(*words, *["--json"] * as_json)
    assert re.search(message, result.stderr, re.DOTALL), result.stderr
    assert result.exit_code == code
    assert "Traceback" not in result.stderr
    if as_json:
        described = json.loads(result.stdout)
        assert list(described) == ["error", "exit_code"]
        assert described["exit_code"] == code
        assert described["error"] in result.stderr
    else:
        assert result.stdout == ""


def test_too_little_room(cli: Cli, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage())
    result = cli("extract", "--data", places["photos"], "--backbone", "pixels", "--image-size", 100)
    assert result.exit_code == 1
    assert "pipeline: the features need 0.8 MB and features_cache has 0.0 MB free: make room" in result.stderr


@pytest.mark.parametrize("damage", [b"", b"no feature file"])
def test_a_damaged_file_ends_with_4(damage: bytes, cli: Cli, places: dict[str, Path]) -> None:
    (file,) = places["cache"].glob("*/*/train.h5")
    file.write_bytes(damage)
    result = cli("train-head", "--data", places["photos"], "--cache", places["cache"])
    assert result.exit_code == 4
    assert f"{file} is no readable feature file" in result.stderr
    assert "run `pipeline extract` again" in result.stderr


def test_a_missing_split_is_named_with_those_there_are(cli: Cli, places: dict[str, Path]) -> None:
    (file,) = places["cache"].glob("*/*/train.h5")
    file.unlink()
    result = cli("train-head", "--data", places["photos"], "--cache", places["cache"])
    assert result.exit_code == 2
    assert "split 'train' is not in" in result.stderr
    assert "it holds val, test" in result.stderr


def test_debug_shows_the_traceback_of_an_error(cli: Cli, places: dict[str, Path]) -> None:
    result = cli("--debug", "extract", "--backbone", "vgg61")
    assert isinstance(result.exception, UsageError)
    assert "pipeline:" not in result.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_what_nobody_thought_of(debug: bool, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("pipeline.extraction.open_images", fail)
    result = cli(*["--debug"] * debug, "extract", "--json")
    assert result.exit_code == 1
    if debug:
        assert isinstance(result.exception, ZeroDivisionError)
    else:
        expected = (
            "unexpected ZeroDivisionError: division by zero. Run `pipeline --debug ...` for the traceback"
        )
        assert result.stderr == f"pipeline: {expected}\n"
        assert json.loads(result.stdout) == {"error": expected, "exit_code": 1}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("command", [["cache", "ls"], ["check"]])
def test_what_the_system_refuses_is_not_called_unexpected(
    number: int, command: list[str], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "photos/features_cache")

    monkeypatch.setattr(Path, "glob", refuse)
    result = cli(*command)
    assert result.exit_code == 1
    refused = (
        f"pipeline: photos/features_cache cannot be used now: {os.strerror(number)}. See to its permissions"
    )
    assert result.stderr.startswith(refused)


def test_a_failure_of_one_run_does_not_colour_the_next(cli: Cli) -> None:
    cli("extract", "--json", "--backbone", "nothing")
    assert cli("extract", "--backbone", "nothing").stdout == ""
    assert cli("--version").stdout.endswith(f"{__version__}\n")
