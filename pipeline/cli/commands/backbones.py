"""The table of frozen bases, and the cuts of each."""

from __future__ import annotations

import click

from pipeline.cli.options import json_option, print_json


@click.command()
@click.argument("name", required=False)
@click.option(
    "--image-size", type=click.IntRange(1), default=150, show_default=True, help="For the cuts of NAME."
)
@json_option
def command(name: str | None, image_size: int, as_json: bool) -> None:
    """List the frozen bases, or the cuts of one with their shapes and bytes per image in float16.

    \b
    pipeline backbones
    pipeline backbones vgg16 --image-size 224
    """
    if name is None:
        _list_backbones(as_json)
    else:
        _list_cuts(name, image_size, as_json)


def _list_backbones(as_json: bool) -> None:
    from pipeline.backbones.table import BACKBONES

    rows = {
        name: {
            "parameters": row.parameters,
            "min_size": row.min_size,
            "preprocessing": row.preprocessing,
            "layer": row.layer,
        }
        for name, row in BACKBONES.items()
    }
    if as_json:
        print_json(rows)
        return
    click.echo(f"{'backbone':20} {'parameters':>11}  {'from':>5}  {'pixels':8}  last layer")
    for name, row in rows.items():
        size = f"{row['parameters']:>11,}  {row['min_size']:>2} px"
        click.echo(f"{name:20} {size}  {row['preprocessing']:8}  {row['layer']}")


def _list_cuts(name: str, image_size: int, as_json: bool) -> None:
    from pipeline.backbones.loading import describe_cuts
    from pipeline.cache.format import row_bytes

    shapes = describe_cuts(name, image_size)
    if as_json:
        cuts = [
            {"layer": layer, "shape": list(shape), "bytes": row_bytes(shape, "float16")}
            for layer, shape in shapes
        ]
        print_json({"backbone": name, "image_size": image_size, "cuts": cuts})
        return
    for layer, shape in shapes:
        sides = " x ".join(map(str, shape))
        click.echo(f"{layer:32} {sides:>16}  {row_bytes(shape, 'float16'):>12,} bytes an image")
