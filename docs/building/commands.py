"""The reference of the command line, from the commands themselves: what ``--help`` says, as pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from pipeline.cli import main

FOLDER = "reference/commands"
_PROGRAM = "pipeline"
_KEPT_AS_IT_IS = "\b\n"
"""Click's mark of a paragraph whose lines are kept."""


def command_pages() -> dict[str, str]:
    """Returns the Markdown of a page for each command, subcommands on that of their group, by its path."""
    top = click.Context(main, info_name=_PROGRAM, **main.context_settings)
    pages = {}
    for name in main.list_commands(top):
        pages[f"{FOLDER}/{name}.md"] = "\n".join(_told(main, top, name, level=1))
    listed = "\n".join(["```{toctree}", ":maxdepth: 1", "", *main.list_commands(top), "```"])
    pages[f"{FOLDER}/index.md"] = "\n".join([*_described(main, top, title="Commands", level=1), "", listed])
    return pages


def _told(group: click.Group, parent: click.Context, name: str, *, level: int) -> Iterator[str]:
    command = group.get_command(parent, name)
    if command is None:
        raise ValueError(f"{parent.command_path} lists {name} and does not have it")
    context = click.Context(command, info_name=name, parent=parent)
    yield from _described(command, context, title=f"`{context.command_path}`", level=level)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _told(command, context, below, level=level + 1)


def _described(command: click.Command, context: click.Context, *, title: str, level: int) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"{'#' * level} {title}", "", "```text", usage, "```", "")
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith(_KEPT_AS_IT_IS):
            yield from ("```sh", paragraph.removeprefix(_KEPT_AS_IT_IS).rstrip(), "```", "")
        else:
            yield from (_literal(paragraph), "")
    yield from (":::{program} " + context.command_path, ":::", "")
    for parameter in command.get_params(context):
        names, told = _named(parameter, context)
        yield from (":::{option} " + names, "", _literal(told), ":::", "")


def _named(parameter: click.Parameter, context: click.Context) -> tuple[str, str]:
    record = parameter.get_help_record(context)
    names, told = record or (parameter.make_metavar(context), "")
    return names.replace(" / ", ", "), told or ("Required." if parameter.required else "May be left out.")


def _literal(text: str) -> str:
    """Keeps signs that Markdown would take for its own; code between backticks is code there, too."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(one if one.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", one) for one in parts)
