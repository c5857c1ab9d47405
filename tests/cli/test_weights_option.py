"""``--weights FILE`` means what is in the file, and is not asked for again while the file is there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from photos import Photos

from pipeline.backbones import weights

Cli = Callable[..., Result]

COMMANDS = ["train-head", "sweep --head knn --jobs 1", "evaluate --no-page", "check", "cache show", "predict"]


@pytest.fixture
def filters(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Writes a file of filters, of which the counting engine reads nothing."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def own(extract: Cli, some_photos: Photos, filters: Callable[[str, bytes], Path], cli: Cli) -> Path:
    """Features, and a head, of a base with filters from a file."""
    path = filters("mine/filters.h5", b"mine")
    assert extract("--weights", path).exit_code == 0
    assert cli("train-head", "--data", some_photos.root).exit_code == 0
    return path


@pytest.fixture
def run(cli: Cli, some_photos: Photos) -> Cli:
    """Runs a command on the photographs; one that needs images is given one."""

    def run(command: str, *options: object) -> Result:
        images = some_photos.files("test")[:1] if command == "predict" else []
        return cli(*command.split(), *images, "--data", some_photos.root, *options)

    return run


def test_a_file_is_known_by_its_content(own: Path, run: Cli, filters: Callable[[str, bytes], Path]) -> None:
    namesake, copy = filters("others/filters.h5", b"others"), filters("copy.h5", b"mine")
    for command in COMMANDS:
        result = run(command, "--weights", namesake)
        assert result.exit_code == 2
        assert "no features in features_cache match these options" in result.stderr
        assert f"--weights {namesake}" in result.stderr

        for options in (["--weights", copy], []):
            result = run(command, *options)
            assert result.exit_code == 0, (command, result.stderr)


def test_a_file_that_is_not_there_is_told(own: Path, run: Cli) -> None:
    for command in COMMANDS:
        result = run(command, "--weights", "filters.h5")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "weights 'filters.h5' is not a file" in result.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: path.unlink(), "which cannot be read any more"),
        (lambda path: path.write_bytes(b"others"), "which now holds others (sha256:01db91d0...)"),
    ],
)
def test_a_file_that_is_gone_or_changed_is_asked_for(
    change: Callable[[Path], None], told: str, own: Path, run: Cli, filters: Callable[[str, bytes], Path]
) -> None:
    change(own)
    result = run("predict")
    assert result.exit_code == 2
    assert result.stderr == (
        "pipeline: the filters that made these features, sha256:3fd30542..., "
        f"were read from {own}, {told}: name it with `--weights PATH`\n"
    )
    assert run("predict", "--weights", filters("moved.h5", b"mine")).exit_code == 0
    assert run("train-head").exit_code == 0  # needs no filters


def test_an_entry_of_an_older_version_asks_for_the_file(own: Path, run: Cli) -> None:
    (file,) = Path("features_cache").glob("*/*/spec.json")
    described = json.loads(file.read_text())
    assert described.pop("weights_file") == str(own)
    file.write_text(json.dumps(described))
    result = run("predict")
    assert result.exit_code == 2
    assert "are in a file of yours: name it with `--weights PATH`" in result.stderr
    assert run("predict", "--weights", own).exit_code == 0


def test_filters_can_be_named_by_their_identity(own: Path, run: Cli) -> None:
    for choice in ("sha256:3fd30542", "auto"):
        assert run("predict", "--weights", choice).exit_code == 0


def test_a_known_file_is_not_read_again(
    own: Path, extract: Cli, run: Cli, trusted_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(own, (1_700_000_000, 1_700_000_000))
    time.sleep(0.03)  # a tick of the kernel's clock
    assert extract("--weights", own).exit_code == 0
    monkeypatch.setattr(weights, "_sha256", lambda path: pytest.fail(f"{path} is read"))
    assert run("cache show", "--weights", own).exit_code == 0
