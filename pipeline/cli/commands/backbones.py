"""The table of frozen bases."""

from __future__ import annotations

import click

from pipeline.cli.options import json_option, print_json


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the frozen bases with their preprocessing, default cut and smallest image.

    \b
    pipeline backbones
    """
    from pipeline.extraction.backbones import BACKBONES

    rows = {
        name: {"preprocessing": row.preprocessing, "layer": row.layer, "min_size": row.min_size}
        for name, row in BACKBONES.items()
    }
    if as_json:
        print_json(rows)
        return
    for name, row in rows.items():
        click.echo(f"{name:20} {row['layer']:22} pixels: {row['preprocessing']:8} from {row['min_size']} px")
