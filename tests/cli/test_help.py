"""Every command explains itself, with an example."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
import pytest
from click.testing import Result

from pipeline import __version__
from pipeline.cli import main

Cli = Callable[..., Result]


def walk(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yields every command with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


COMMANDS = dict(walk(main))
LEAVES = [path for path, command in COMMANDS.items() if not isinstance(command, click.Group)]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_printed(path: tuple[str, ...], option: str, cli: Cli) -> None:
    result = cli(*path, option)
    assert result.exit_code == 0
    assert result.stdout.startswith(" ".join(("Usage: pipeline", *path)))
    assert result.stderr == ""


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...], cli: Cli) -> None:
    assert f"\n  pipeline {' '.join(path)}" in cli(*path, "--help").stdout


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_is_explained_and_json_is_offered(path: tuple[str, ...]) -> None:
    options = [item for item in COMMANDS[path].params if isinstance(item, click.Option)]
    assert all(option.help for option in options)
    assert "--json" in [name for option in options for name in option.opts]


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_the_examples_are_valid(path: tuple[str, ...]) -> None:
    lines = [line.strip() for line in COMMANDS[path].help.splitlines()]
    examples = [line.split()[1:] for line in lines if line.startswith("pipeline ")]
    assert examples
    for words in examples:
        assert tuple(words[: len(path)]) == path
        COMMANDS[path].make_context("example", words[len(path) :])


def test_commands_come_in_the_order_of_use(cli: Cli) -> None:
    listed = cli("--help").stdout.partition("Commands:")[2].split("\n")
    names = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
    assert names[:3] == ["extract", "train-head", "evaluate"]
    assert {"backbones", "cache", "heads"} <= set(names)


def test_a_group_alone_prints_its_help(cli: Cli) -> None:
    result = cli("cache")
    assert result.exit_code == 2
    assert "Commands:" in result.output


@pytest.mark.parametrize(
    ("words", "completed"),
    [("pipeline ex", ["extract", "export"]), ("pipeline extract --backb", ["--backbone"])],
)
def test_a_shell_can_complete(words: str, completed: list[str], cli: Cli) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = cli(env={"_PIPELINE_COMPLETE": "bash_complete", **asked})
    assert {line.partition(",")[2] for line in result.stdout.splitlines()} == {*completed}


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").stdout == f"pipeline, version {__version__}\n"
