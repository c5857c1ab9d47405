"""The table of frozen bases, and the cuts of each."""

from __future__ import annotations

import click

from pipeline.cli.options import json_option, print_json
from pipeline.cli.parameters import PATH_OR_NAME
from pipeline.wording import readable

NAME_WIDTH = 60


@click.command()
@click.argument("name", required=False, type=PATH_OR_NAME)
@click.option("--image-size", type=click.IntRange(1), help="For the cuts of NAME. [the base's own, 150]")
@json_option
def command(name: str | None, image_size: int | None, as_json: bool) -> None:
    """List the frozen bases, or the cuts of one with their shapes and bytes per image in float16.

    NAME is one of the table, or the path of an .onnx or .tflite file with its preprocessing beside it.

    \b
    pipeline backbones
    pipeline backbones vgg16 --image-size 224
    pipeline backbones models/dinov2_small.onnx
    """
    if name is None:
        _list_backbones(as_json)
    else:
        _list_cuts(name, image_size, as_json)


def _list_backbones(as_json: bool) -> None:
    from pipeline.backbones.keras_base import OWN_SIZE
    from pipeline.backbones.table import BACKBONES
    from pipeline.backbones.weights import at_hand

    rows = {
        name: {
            "parameters": row.parameters,
            "min_size": row.min_size,
            "preprocessing": row.preprocessing,
            "layer": row.layer,
            "filters_at_hand": at_hand(name, OWN_SIZE),
        }
        for name, row in BACKBONES.items()
    }
    if as_json:
        print_json(rows)
        return
    click.echo(f"{'backbone':20} {'parameters':>11}  {'from':>5}  {'pixels':8}  {'filters':8}  last layer")
    for name, row in rows.items():
        size = f"{row['parameters']:>11,}  {row['min_size']:>2} px"
        here = "here" if row["filters_at_hand"] else "download"
        click.echo(f"{name:20} {size}  {row['preprocessing']:8}  {here:8}  {row['layer']}")


def _list_cuts(name: str, image_size: int | None, as_json: bool) -> None:
    from pipeline.backbones.finding import find_base
    from pipeline.cache.format import row_bytes

    base = find_base(name)
    size = base.own_size if image_size is None else image_size
    base.check_size(size)
    shapes = base.cuts(size)
    if as_json:
        cuts = [
            {"layer": layer, "shape": list(shape), "bytes": row_bytes(shape, "float16")}
            for layer, shape in shapes
        ]
        print_json(
            {
                "backbone": base.name,
                "image_size": size,
                "preprocessing": base.preprocessing,
                "filter": base.filter,
                "geometry": str(base.geometry(size)),
                "default_layer": base.layer,
                "cuts": cuts,
            }
        )
        return
    names = [readable(layer, NAME_WIDTH) for layer, _ in shapes]
    width = max(map(len, [" " * 32, *names]))
    for shown, (layer, shape) in zip(names, shapes, strict=True):
        sides = " x ".join(map(str, shape))
        default = "  (default)" if base.in_file and layer == base.layer else ""
        click.echo(f"{shown:{width}} {sides:>16}  {row_bytes(shape, 'float16'):>12,} bytes an image{default}")
