"""The frozen bases: those of the table, those on a shelf of your own, and the cuts of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import Group, completion
from pipeline.cli.options import json_option, print_json
from pipeline.cli.parameters import PATH, PATH_OR_NAME
from pipeline.progress import say
from pipeline.wording import readable

NAME_WIDTH = 60


class ShowsByDefault(Group):
    """A group whose first command, ``show``, need not be named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts ``show`` before what names no command."""
        helped = args and args[0] in ("-h", "--help")
        if not helped and not (args and args[0] in self.commands):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ShowsByDefault)
def command() -> None:
    """List the frozen bases, or the cuts of one; keep networks of your own on a shelf.

    \b
    pipeline backbones
    pipeline backbones vgg16 --image-size 224
    pipeline backbones models/dinov2_small.onnx
    """


@command.command()
@click.argument("name", required=False, type=PATH_OR_NAME, shell_complete=completion.backbone)
@click.option(
    "--image-size", type=click.IntRange(1), help="For the cuts of NAME.", show_default="the base's own, 150"
)
@json_option
def show(name: str | None, image_size: int | None, as_json: bool) -> None:
    """List the frozen bases, or the cuts of one with their shapes and bytes per image in float16.

    NAME is one of the table, one on the shelf, or the path of an .onnx or .tflite file with its preprocessing
    beside it. The word `show` can be left out.

    \b
    pipeline backbones show
    pipeline backbones show vgg16 --image-size 224
    pipeline backbones show models/dinov2_small.onnx
    """
    if name is None:
        _list_backbones(as_json)
    else:
        _list_cuts(name, image_size, as_json)


@command.command()
@click.argument("name")
@click.argument("network", type=PATH)
@click.option(
    "--config", type=PATH, help="File that states its preprocessing.", show_default="beside the network"
)
@json_option
def add(name: str, network: Path, config: Path | None, as_json: bool) -> None:
    """Copy a network, .onnx or .tflite, to the shelf, to be used by NAME.

    It is checked first, and its preprocessing has to be known, see docs/backbones.md.

    \b
    pipeline backbones add dinov2_small models/dinov2_small.onnx
    pipeline backbones add mine net.onnx --config net/preprocessor_config.json
    """
    from pipeline.backbones import shelf

    _print_shelved(shelf.add(name, network, config=config), as_json)


@command.command()
@click.argument("address")
@click.option("--as", "name", default="", help="What to call it.", show_default="by its address")
@json_option
def get(address: str, name: str, as_json: bool) -> None:
    """Download a network, convert it to ONNX once, and put it on the shelf.

    ADDRESS is timm:NAME, hf:OWNER/NAME or keras-hub:PRESET; a folder in the library's own format will do.
    The library is needed for this command only: pip install '.[timm]', '.[hf]' or '.[keras-hub]'.

    \b
    pipeline backbones get timm:vit_small_patch14_dinov2
    pipeline backbones get hf:facebook/dinov2-small --as dinov2_small
    pipeline backbones get keras-hub:resnet_50_imagenet
    """
    from pipeline.backbones import hubs

    _print_shelved(hubs.get(address, name=name), as_json)


@command.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Remove a base from the shelf; features that it made stay.

    \b
    pipeline backbones remove dinov2_small
    """
    from pipeline.backbones import shelf

    left = shelf.discard(name)
    if as_json:
        print_json({"removed": name, "left_alone": [one.to_json() for one in left]})
        return
    for one in left:
        say(str(one))
    click.echo(f"{name} is not on the shelf any more")


def _print_shelved(one: Any, as_json: bool) -> None:
    if as_json:
        print_json(_described(one))
    else:
        click.echo(f"{one.name}  {one.bytes / 1e6:,.1f} MB  {one.path}")
        click.echo(f"now: pipeline extract --backbone {one.name}")


def _described(one: Any) -> dict[str, Any]:
    return {"name": one.name, "path": str(one.path), "origin": one.origin, "bytes": one.bytes}


def _list_backbones(as_json: bool) -> None:
    from pipeline.backbones.keras_base import OWN_SIZE
    from pipeline.backbones.shelf import shelf_folder, shelved
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
    own = shelved()
    if as_json:
        print_json(
            {**rows, **{name: {**_described(one), "filters_at_hand": True} for name, one in own.items()}}
        )
        return
    click.echo(f"{'backbone':20} {'parameters':>11}  {'from':>5}  {'pixels':8}  {'filters':8}  last layer")
    for name, row in rows.items():
        size = f"{row['parameters']:>11,}  {row['min_size']:>2} px"
        here = "here" if row["filters_at_hand"] else "download"
        click.echo(f"{name:20} {size}  {row['preprocessing']:8}  {here:8}  {row['layer']}")
    if own:
        click.echo(f"\non the shelf, {shelf_folder()}:")
        for one in own.values():
            click.echo(f"{one.name:20} {one.bytes / 1e6:>8,.1f} MB  {readable(one.origin, NAME_WIDTH)}")


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
