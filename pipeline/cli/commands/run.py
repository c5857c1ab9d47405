"""A recipe."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli import completion
from pipeline.cli.options import (
    cache_option,
    data_option,
    json_option,
    print_json,
    runs_option,
    seed_type,
    weights_option,
)
from pipeline.cli.parameters import PATH

LONGEST = 2000
"""Characters of what a recipe says of its published figure."""


@click.command()
@click.argument("recipe", type=PATH, shell_complete=completion.recipe)
@data_option("Other images than the recipe's.")
@click.option("--name", help="Name of the data set in the cache.", show_default="the source's own")
@weights_option("Other filters than the recipe's.")
@click.option("--backbone", help="Another base than the recipe's.", shell_complete=completion.backbone)
@click.option("--layer", "layers", multiple=True, help="Another cut than the recipe's.")
@click.option("--seed", type=seed_type, help="Another seed than the recipe's.")
@cache_option
@runs_option
@json_option
def command(
    recipe: Path,
    data: str | None,
    name: str | None,
    weights: str | None,
    backbone: str | None,
    layers: tuple[str, ...],
    seed: int | None,
    cache: Path,
    runs: Path,
    as_json: bool,
) -> None:
    """Run a whole experiment from a recipe, a file or one of `pipeline recipes`: extract, train, evaluate.

    \b
    pipeline run cifar10-ann
    pipeline run cats-and-dogs-vgg16 --data photos/ --seed 1
    pipeline run scenes-vgg16-finetune --backbone mobilenet_v2 --layer block_12_add
    pipeline run my-recipe.toml
    """
    from rich.console import Console

    from pipeline.evaluation import Report
    from pipeline.evaluation.tables import print_report, print_targets
    from pipeline.recipe import read_recipe, run_recipe, with_changes
    from pipeline.wording import readable

    changed = with_changes(
        read_recipe(recipe), data=data, seed=seed, weights=weights, backbone=backbone, layers=layers
    )
    outcome = run_recipe(changed, cache=cache, runs=runs, name=name)
    if as_json:
        print_json(outcome.to_json())
        return
    console = Console(file=sys.stdout)
    for report in outcome.reports.values():
        if isinstance(report, Report):
            print_report(report, console=console)
        else:
            print_targets(report, console=console)
    if outcome.beside_published:
        click.echo(readable(outcome.beside_published, LONGEST))
    click.echo(f"  {outcome.trained.folder}")
