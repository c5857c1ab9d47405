"""The command line as a user meets it: arguments in, two streams and an exit code out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from counting_engine import BACKBONE, CountingEngine
from photos import Photos

from pipeline.cli import main

OPTIONS = [
    "--backbone",
    BACKBONE["backbone"],
    "--weights",
    BACKBONE["weights"],
    "--image-size",
    "32",
    "--engine",
    "keras",
]

Cli = Callable[..., Result]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the command line in an empty folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def run(*arguments: object, **more: Any) -> Result:
        return CliRunner().invoke(main, [str(part) for part in arguments], prog_name="pipeline", **more)

    return run


@pytest.fixture
def extract(cli: Cli, photos: Photos, engine: CountingEngine) -> Cli:
    """Runs ``pipeline extract`` on the photographs with the counting engine."""
    return lambda *arguments: cli("extract", "--data", photos.root, *OPTIONS, *arguments)


@pytest.fixture
def some_photos(photos: Photos) -> Photos:
    """Photographs of two classes in all three splits."""
    for split, count in (("train", 6), ("val", 3), ("test", 4)):
        photos.add(f"{split}/cats", count)
        photos.add(f"{split}/dogs", count)
    return photos


@pytest.fixture
def stored(extract: Cli, some_photos: Photos) -> list[str]:
    """Options that pick an entry with all three splits and no leak between them."""
    assert extract().exit_code == 0
    return ["--data", str(some_photos.root)]


@pytest.fixture
def the_object() -> Callable[[Result], dict[str, Any]]:
    """Reads the one JSON object that a command printed on stdout."""

    def read(result: Result) -> dict[str, Any]:
        (line,) = result.stdout.splitlines()
        described = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        assert isinstance(described, dict)
        return described

    return read
