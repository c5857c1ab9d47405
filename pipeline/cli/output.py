"""How much the command line says, and in which colours: options that every command takes."""

from __future__ import annotations

import os
import platform

import click

from pipeline import __version__
from pipeline.hardware import cores
from pipeline.memory import available_bytes
from pipeline.progress import Loudness, say, speak


def _speak(loudness: Loudness, context: click.Context, given: bool) -> None:
    if given and not context.resilient_parsing:
        speak(loudness)
        if loudness is Loudness.VERBOSE:
            say(
                f"pipeline {__version__}, Python {platform.python_version()}, {platform.platform()}, "
                f"{cores()} cores, {available_bytes() / 2**30:.1f} GiB of memory free, in {os.getcwd()}"
            )


def _quiet(context: click.Context, _: click.Parameter, given: bool) -> None:
    _speak(Loudness.QUIET, context, given)


def _verbose(context: click.Context, _: click.Parameter, given: bool) -> None:
    _speak(Loudness.VERBOSE, context, given)


def _colourless(context: click.Context, _: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        os.environ["NO_COLOR"] = "1"  # what rich and others look at, see https://no-color.org
        context.find_root().color = False


OPTIONS = tuple(
    click.Option(names, is_flag=True, expose_value=False, callback=callback, help=help)
    for names, callback, help in (
        (["-q", "--quiet"], _quiet, "Say only warnings and errors."),
        (["-v", "--verbose"], _verbose, "Say when and where, too."),
        (["--no-color"], _colourless, "No colours, as with NO_COLOR=1."),
    )
)


def with_output_options(command: click.Command) -> click.Command:
    """Gives a command these options, once; a group hands them on to its commands."""
    if not isinstance(command, click.Group) and OPTIONS[0] not in command.params:
        command.params += OPTIONS
    return command
