"""The command line: each command parses, calls the library, and prints. One file a command."""

from __future__ import annotations

import atexit
import gc
import json
import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import click

from pipeline import __version__, registry
from pipeline.cli import commands
from pipeline.cli.output import with_output_options
from pipeline.errors import PipelineError, system_refusal, unknown
from pipeline.progress import Loudness, harmless, speak
from pipeline.stopping import EXIT_CODE as STOPPED
from pipeline.stopping import stoppable


class Group(click.Group):
    """A group that names the choices where a command is unknown."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Finds the command that was named.

        Raises:
            UsageError: There is no such command; the message lists those there are.
        """
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            raise unknown("command", args[0], known)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command with the options that all commands have."""
        found = super().get_command(ctx, cmd_name)
        return found and with_output_options(found)


class Commands(Group):
    """The commands found in a folder; failures become one line and an exit code of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order in which they are used, the others after them."""
        order = ["extract", "train-head", "evaluate"]
        found = registry.names(commands)
        return [name for name in order if name in found] + [name for name in found if name not in order]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command when it is needed."""
        if cmd_name not in registry.names(commands):
            return None
        return with_output_options(registry.load(commands, "command", cmd_name).command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Finds the command, and notes whether a failure is to be printed as an object, too.

        Raises:
            UsageError: A value is empty: no option and no argument of any command means anything then.
        """
        ctx.obj["json"] = "--json" in args
        _refuse_empty(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command and turns what it raises into a message."""
        told = threading.Lock()
        try:
            with stoppable(lambda: _tell_stopped(ctx, told)):
                return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            _print_failure(ctx, error.format_message(), error.exit_code)
            raise
        except click.Abort:
            _print_failure(ctx, "aborted", PipelineError.exit_code)
            raise
        except KeyboardInterrupt:
            _tell_stopped(ctx, told)
            ctx.exit(STOPPED)
        except BrokenPipeError:  # the reader, e.g. `head`, has seen enough: click ends without a word
            raise
        except PipelineError as error:
            if ctx.params["debug"]:
                raise
            _fail(ctx, str(error), error.exit_code)
        except MemoryError as error:
            if ctx.params["debug"]:
                raise
            reason = f" ({error})" if str(error) else ""
            message = f"the memory does not suffice{reason}. Whatever was finished is kept: make memory free"
            _fail(ctx, f"{message} and run the same command again", PipelineError.exit_code)
        except Exception as error:
            if ctx.params["debug"]:
                raise
            _fail(ctx, _refused(error) or _unexpected(error), PipelineError.exit_code)


def _refused(error: Exception) -> str:
    """Says what the system did not let be done; empty where the fault may be the program's."""
    if isinstance(error, FileNotFoundError) or not isinstance(error, OSError):
        return ""
    refusal = system_refusal(error)
    what = "" if error.filename is None else f"{error.filename} cannot be used now: "
    return refusal and (
        f"{what}{refusal}. See to its permissions, the disk or the limits of the system, and run the same "
        "command again (`pipeline --debug ...` shows where it was)"
    )


def _unexpected(error: Exception) -> str:
    return f"unexpected {type(error).__name__}: {error}. Run `pipeline --debug ...` for the traceback"


def _refuse_empty(words: Sequence[str]) -> None:
    for before, word in pairwise(["", *words]):
        option, joined, value = word.partition("=")
        if not word.strip():
            subject = f"the value of {before}" if before.startswith("-") else "an argument"
        elif joined and option.startswith("--") and not value.strip():
            subject = f"the value of {option}"
        else:
            continue
        raise click.UsageError(f"{subject} is empty (an unset variable?): give one, or leave it out")


def _fail(ctx: click.Context, message: str, code: int) -> None:
    click.echo(f"pipeline: {harmless(message)}", err=True)
    _print_failure(ctx, message, code)
    ctx.exit(code)


def _tell_stopped(ctx: click.Context, told: threading.Lock) -> None:
    """Says how to go on, once: a command that is slow to end is told of by another thread."""
    if told.acquire(blocking=False):
        message = "stopped. Whatever was finished is kept; run the same command to continue"
        click.echo(f"pipeline: {message}", err=True)
        _print_failure(ctx, message, STOPPED)


def _print_failure(ctx: click.Context, message: str, code: int) -> None:
    if ctx.obj["json"]:
        click.echo(json.dumps({"error": message, "exit_code": code}))


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "obj": {}},
)
@click.version_option(__version__, prog_name="pipeline")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """Transfer learning in two stages: extract features once, train heads in seconds.

    Without a command it shows what there is in this folder, and what to do next.

    \b
    pipeline extract     --data photos/ --backbone mobilenet_v2
    pipeline train-head  --data photos/ --head logreg
    pipeline evaluate    --data photos/ --split test
    """
    # At the end Python searches all objects for cycles, those of TensorFlow for two seconds: let it be.
    atexit.register(gc.freeze)
    speak(Loudness.USUAL)
    if context.invoked_subcommand is None:
        context.obj["json"] = False
        context.invoke(registry.load(commands, "command", "status").command)
        click.echo("\n`pipeline --help` lists the commands.")
