"""The command line as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from photos import Photos

COMMANDS = ([str(Path(sys.executable).with_name("pipeline"))], [sys.executable, "-m", "pipeline"])


@pytest.mark.parametrize("command", COMMANDS, ids=["pipeline", "python -m pipeline"])
def test_both_ways_to_start_it(command: list[str], some_photos: Photos, cache: Path) -> None:
    arguments = ["extract", "--data", some_photos.root, "--cache", cache, "--backbone", "pixels", "--json"]
    result = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=True)
    described = json.loads(result.stdout)
    assert [split["computed"] for split in described["splits"].values()] == [12, 6, 8]


def test_a_failure_is_the_exit_code_of_the_process() -> None:
    result = subprocess.run([*COMMANDS[1], "extrakt", "--json"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert json.loads(result.stdout)["exit_code"] == 2
    assert result.stderr.startswith("pipeline: unknown command 'extrakt'")


def test_the_embedded_data_set_needs_nothing_but_the_package(cache: Path) -> None:
    arguments = ["extract", "--backbone", "pixels", "--image-size", "8", "--cache", str(cache), "--json"]
    result = subprocess.run([*COMMANDS[1], *arguments], capture_output=True, text=True, check=True)
    described = json.loads(result.stdout)
    assert sum(split["rows"] for split in described["splits"].values()) == 1797
