"""The recipes that come with the package."""

from __future__ import annotations

import click

from pipeline.cli.options import json_option, print_json


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the recipes that `pipeline run NAME` knows, with their data, base and head.

    \b
    pipeline recipes
    """
    from pipeline.recipe import read_recipe, shipped

    found = []
    for name, path in shipped().items():
        recipe = read_recipe(path)
        experiment = recipe.experiment
        found.append(
            {
                "name": name,
                "title": experiment.title,
                "source": experiment.source,
                "data": experiment.data,
                "base": str(recipe.options.get("backbone", recipe.request.backbone)),
                "image_size": recipe.request.image_size,
                "head": experiment.head,
                "file": str(path),
            }
        )
    if as_json:
        print_json({"recipes": found})
        return
    for one in found:
        click.echo(f"{one['name']}: {one['title']}")
        click.echo(f"    base {one['base']} at {one['image_size']} px, head {one['head']}, on {one['data']}")
    click.echo("On your own images: pipeline run NAME --data photos/")
