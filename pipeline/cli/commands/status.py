"""What there is, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import cache_option, json_option, print_json, runs_option
from pipeline.stored_heads import ACCURACY
from pipeline.wording import counted, readable

if TYPE_CHECKING:
    from pipeline.overview import EntryState, HeadState

SHOWN = 5
"""Heads of an entry, and commands, that are shown; --json has all."""


@click.command()
@cache_option
@runs_option
@json_option
def command(cache: Path, runs: Path, as_json: bool) -> None:
    """Show which features and heads there are, what they are worth, and what to do next.

    Nothing is computed and nothing checked in full; `pipeline` alone shows the same.

    \b
    pipeline status
    """
    from pipeline.overview import look_around

    overview = look_around(cache, runs)
    if as_json:
        print_json(overview.to_json())
        return
    for one in overview.entries:
        _print_entry(one)
    if not overview.entries:
        click.echo(f"no features in {cache}")
    commands = overview.next_commands
    click.echo("\nnext:")
    for line in commands[:SHOWN]:
        click.echo(f"  {line}")
    if len(commands) > SHOWN:
        click.echo(f"  ... and {counted(len(commands) - SHOWN, 'more command')} (all of them with --json)")


def _print_entry(one: EntryState) -> None:
    rows = [f"{split} {'damaged' if count is None else f'{count:,}'}" for split, count in one.rows.items()]
    rows += [f"{split} not finished" for split in one.unfinished]
    click.echo(f"{one.entry.full_name}  {', '.join(rows) or 'nothing published'}")
    for head in one.heads[:SHOWN]:
        click.echo(f"  {_described(head)}")
    if len(one.heads) > SHOWN:
        click.echo(f"  ... and {counted(len(one.heads) - SHOWN, 'more head')}")
    if not one.heads:
        click.echo("  no head yet" if one.labelled else "  no labels to train a head on")


def _named(figure: str) -> str:
    """Names a figure that is no accuracy."""
    return "" if figure == ACCURACY else f"{figure} "


def _described(head: HeadState) -> str:
    said = [readable(head.name)]
    if head.val_accuracy is not None:
        said.append(f"val {_named(head.figure)}{head.val_accuracy:.4f}")
    said += [
        f"{split} {_named(one.name)}{one.accuracy:.4f} ({one.interval[0]:.4f} to {one.interval[1]:.4f})"
        for split, one in head.figures.items()
        if split != "val"
    ]
    if not head.figures:
        said.append("not evaluated yet")
    return "  ".join(said)
