"""Every command explains itself, with an example."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click
import pytest
from click.testing import Result

from pipeline import __version__
from pipeline.cli import main
from pipeline.cli.parameters import PathOrName

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


def options() -> Iterator[tuple[str, click.Option]]:
    """Yields every option with the words of its command."""
    for path, command in COMMANDS.items():
        for item in command.params:
            if isinstance(item, click.Option):
                yield " ".join(path), item


def test_a_default_is_told_in_one_way() -> None:
    by_hand = [(path, item.opts) for path, item in options() if (item.help or "").endswith("]")]
    assert by_hand == []


def test_what_has_a_default_tells_it() -> None:
    untold = [
        (path, item.opts)
        for path, item in options()
        if not item.is_flag and item.default not in (None, "", False) and not item.required
        if not isinstance(item.default, type(click.Option(["--x"]).default)) and not item.show_default
    ]
    assert untold == []


def test_a_flag_has_one_spelling() -> None:
    """No option of another command says the same in other letters, such as ``--layers`` for ``--layer``."""
    flags = {flag for _, item in options() for flag in item.opts if flag.startswith("--")}
    plain: dict[str, set[str]] = {}
    for flag in flags:
        plain.setdefault(flag.replace("-", "").removesuffix("s"), set()).add(flag)
    assert [found for found in plain.values() if len(found) > 1] == []
    assert [flag for flag in flags if "_" in flag] == []


def test_a_flag_takes_one_kind_of_value_in_all_commands() -> None:
    kinds: dict[str, set[str]] = {}
    for _, item in options():
        words = (click.Choice, type(click.STRING), PathOrName)
        kind = "words" if isinstance(item.type, words) else item.type.name
        kinds.setdefault(item.opts[-1], set()).add(f"{kind} {item.metavar if item.multiple else ''}".strip())
    mixed = {flag: found for flag, found in kinds.items() if len({one.split()[0] for one in found}) > 1}
    assert mixed == {}


def test_commands_come_in_the_order_of_use(cli: Cli) -> None:
    listed = cli("--help").stdout.partition("Commands:")[2].split("\n")
    names = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
    assert names[:3] == ["extract", "train-head", "evaluate"]
    assert {"backbones", "cache", "heads"} <= set(names)


def test_a_group_alone_prints_its_help(cli: Cli) -> None:
    result = cli("cache")
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").stdout == f"pipeline, version {__version__}\n"
