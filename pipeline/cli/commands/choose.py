"""Which base, cut and head."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import completion
from pipeline.cli.options import (
    DEFAULT_DATA,
    data_options,
    json_option,
    print_json,
    reading_options,
    runs_option,
    seed_option,
    source_options,
)
from pipeline.cli.parameters import PATH_OR_NAME
from pipeline.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.choosing import Choice

SHOWN = 20


@click.command()
@data_options
@reading_options
@click.option("--minutes", type=float, default=10.0, show_default=True, help="What it may take, about.")
@click.option(
    "--weights",
    "files",
    multiple=True,
    type=PATH_OR_NAME,
    metavar="FILE",
    help="A weights file, or a folder of such; repeatable. Whose they are is found by their layers.",
)
@click.option(
    "--backbone",
    "names",
    multiple=True,
    shell_complete=completion.backbone,
    help="A base to keep to; repeatable.",
    show_default="all at hand",
)
@click.option(
    "--image-size",
    "sizes",
    multiple=True,
    type=click.IntRange(1),
    help="A height and width to try; repeatable.",
    show_default="150 and 224; pixels 32",
)
@click.option(
    "--preset",
    shell_complete=completion.preset,
    default="quick",
    show_default=True,
    help="Heads to try: quick or full.",
)
@seed_option
@runs_option
@json_option
def command(
    data: str | None,
    name: str | None,
    cache: Path,
    minutes: float,
    files: tuple[str, ...],
    names: tuple[str, ...],
    sizes: tuple[int, ...],
    preset: str,
    seed: int,
    runs: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Choose base, cut and head for your images within some minutes, and leave the head trained.

    Every base whose filters are on this machine is scored on a sample; the best go on to all images and to
    many heads, chosen on val, never on test. All features stay in the cache. Stop it when you like: the best
    head so far is kept.

    \b
    pipeline choose --data photos/ --minutes 10
    pipeline choose --data photos/ --weights vgg16.h5 --weights more/
    pipeline choose --data photos/ --backbone mobilenet_v2 --image-size 160 --image-size 224
    """
    from rich.console import Console

    from pipeline.choosing import bases_at_hand, choose
    from pipeline.sweeps import preset as preset_candidates

    candidates = preset_candidates(preset)
    reading = source_options(options)
    choice = choose(
        DEFAULT_DATA if data is None else data,
        minutes=minutes,
        bases=bases_at_hand(files, names, sizes),
        candidates=candidates,
        cache=cache,
        runs=runs,
        name=name,
        seed=seed,
        source_options=reading,
    )
    if as_json:
        print_json(choice.to_json())
        return
    Console(file=sys.stdout).print(_table(choice))
    _print(choice)


def _print(choice: Choice) -> None:
    trained = choice.trained
    click.echo(
        f"chosen: {trained.name} on {choice.found.contender}, {choice.layer}: {trained.val_line}, "
        f"after {choice.seconds:.0f} s"
    )
    click.echo(f"  {trained.folder}")
    click.echo(f"  {choice.folder}")
    click.echo("\nthe same again, step by step:")
    for line in choice.commands:
        click.echo(f"  {line}")
    click.echo(f"  pipeline run {choice.folder / 'recipe.toml'}")


def _table(choice: Choice) -> Table:
    """Makes a table of the best of each cut, heads first, then quick scores."""
    from rich.markup import escape
    from rich.table import Table

    from pipeline.choosing.picture import best_of_cuts
    from pipeline.heads._core.target_figures import IN_WORDS

    table = Table(
        title=f"{counted(len(choice.tried), 'trial')}, the best of each cut",
        box=None,
        title_justify="left",
    )
    for name in ("base", "size", "cut", "head", IN_WORDS[choice.figure], "ms/image"):
        table.add_column(name, justify="left" if name in ("base", "cut", "head") else "right")
    for one in best_of_cuts(choice.tried)[:SHOWN]:
        table.add_row(
            one.backbone,
            str(one.image_size),
            escape(one.layer),
            escape(one.label) if one.head else "(quick score)",
            f"{one.score:.4f}",
            "" if one.image_s is None else f"{1000 * one.image_s:.1f}",
        )
    return table
