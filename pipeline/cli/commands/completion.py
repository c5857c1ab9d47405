"""Completion in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pipeline.cli.options import json_option, print_json

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
def command(shell: str, as_json: bool) -> None:
    """Print what a shell needs to complete commands, options and their values.

    Put `eval "$(pipeline completion bash)"` into ~/.bashrc, the same with zsh into ~/.zshrc; for fish, write
    what is printed to ~/.config/fish/completions/pipeline.fish.

    \b
    pipeline completion bash
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows these shells
    root = click.get_current_context().find_root()
    script = kind(root.command, {}, "pipeline", "_PIPELINE_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
