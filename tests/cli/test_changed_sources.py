"""Each command of stage two says in one line what has changed since ``extract``, and goes on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

from click.testing import Result
from photos import Photos

Cli = Callable[..., Result]

COMMANDS = ("train-head", "sweep --head knn --jobs 1", "evaluate --no-page", "check")


def test_every_command_tells_what_changed(
    stored: list[str], cli: Cli, photos: Photos, the_object: Callable[[Result], dict[str, Any]]
) -> None:
    for command in COMMANDS:
        result = cli(*command.split(), *stored, "--json")
        assert the_object(result)["changed_since_extract"] is None, command
        assert "since these features were made" not in result.stderr

    photos.add("train/cats", 2)
    photos.files("test")[0].unlink()
    run = ""
    for command in COMMANDS:
        result = cli(*command.split(), *stored, "--json")
        assert result.exit_code == 0
        told = the_object(result)["changed_since_extract"]
        assert (told["added"], told["removed"], told["content"]) == (2, 1, 0)
        (line,) = [line for line in result.stderr.splitlines() if "has changed" in line]
        assert line.endswith(f"2 images added, 1 image removed. Run `{told['run']}` to take that in")
        run = told["run"]

    assert cli(*shlex.split(run)[1:]).exit_code == 0
    assert the_object(cli("check", *stored, "--json"))["changed_since_extract"] is None

    photos.root.rename(photos.root.with_name("away"))
    for command in COMMANDS:
        result = cli(*command.split(), *stored, "--json")
        assert result.exit_code == 0
        assert "does not exist" in the_object(result)["changed_since_extract"]["not_compared"]
        assert "may have changed since these features were made" in result.stderr
