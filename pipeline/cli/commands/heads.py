"""The heads and their options."""

from __future__ import annotations

import click

from pipeline.cli.options import json_option, print_json


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the heads with their options and defaults, as `train-head --set` takes them.

    \b
    pipeline heads
    """
    from pipeline import heads, registry
    from pipeline.heads import describe_head
    from pipeline.images.targets import described

    found = [describe_head(name) for name in registry.names(heads)]
    if as_json:
        print_json(
            {
                head.name: {
                    "description": head.description,
                    "targets": list(head.targets),
                    "options": [str(o) for o in head.options],
                }
                for head in found
            }
        )
        return
    for head in found:
        click.echo(f"{head.name}: {head.description}")
        if head.targets[1:]:
            click.echo(f"    also learns {' and '.join(map(described, head.targets[1:]))}")
        for option in head.options:
            click.echo(f"    {option}")
