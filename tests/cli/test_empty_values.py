"""An empty value, as an unset variable of a shell gives it, is refused by every command for every option."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result
from test_help import COMMANDS, LEAVES

from pipeline.cache.entries import chosen_name
from pipeline.errors import UsageError
from pipeline.extraction import FeatureRequest, extract

Cli = Callable[..., Result]

VALUES = [
    pytest.param(path, option.opts[-1], id=f"{' '.join(path)} {option.opts[-1]}")
    for path in LEAVES
    for option in COMMANDS[path].params
    if isinstance(option, click.Option) and not option.is_flag
]
ARGUMENTS = [
    path for path in LEAVES if any(isinstance(param, click.Argument) for param in COMMANDS[path].params)
]


def test_there_is_something_to_look_at() -> None:
    options = [value.values[1] for value in VALUES]
    assert options.count("--data") > 7
    assert {"--name", "--cache", "--runs", "--weights", "--head", "--path-column", "--out"} <= set(options)
    assert ("predict",) in ARGUMENTS
    assert ("run",) in ARGUMENTS


@pytest.mark.parametrize(("path", "option"), VALUES)
def test_an_empty_value_is_refused(path: tuple[str, ...], option: str, cli: Cli) -> None:
    for words in ((option, ""), (option, " "), (f"{option}=",), ("--json", option, "")):
        result = cli(*path, *words)
        assert result.exit_code == 2
        assert f"the value of {option} is empty" in result.stderr
        assert list(Path().iterdir()) == []
    assert f"the value of {option} is empty" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("path", ARGUMENTS, ids=" ".join)
def test_an_empty_argument_is_refused(path: tuple[str, ...], cli: Cli) -> None:
    result = cli(*path, "")
    assert result.exit_code == 2
    assert "an argument is empty" in result.stderr


def test_an_empty_source_or_name_is_refused_without_a_command_line_too(tmp_path: Path) -> None:
    request = FeatureRequest(backbone="pixels", image_size=8)
    with pytest.raises(UsageError, match="'' does not exist"):
        extract("", request, cache=tmp_path)
    for name in ("", ".", "///", "猫"):
        with pytest.raises(UsageError, match=r"--name .* has no letter"):
            extract("builtin:digits", request, cache=tmp_path, name=name)
    assert chosen_name("my cats/") == "my_cats"
