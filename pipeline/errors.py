"""Errors that end a command with one clear line and an exit code of their own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PipelineError(Exception):
    """A failure the user can act on: the message names the value, the choices and the next step."""

    exit_code = 1


class UsageError(PipelineError):
    """An option, a name or a file the user gave cannot be used as it is."""

    exit_code = 2


class UnreadableImagesError(PipelineError):
    """Some images could not be decoded; all others are finished and kept."""

    exit_code = 3


class CacheMismatchError(PipelineError):
    """A feature file or a trained head does not fit what it is used with."""

    exit_code = 4


def unknown(kind: str, value: str, choices: Iterable[str], *, next_step: str = "") -> UsageError:
    """Builds the error for a name that is not in a registry.

    Args:
        kind: What the name stands for, e.g. ``"head"``.
        value: The name the user gave.
        choices: All valid names.
        next_step: A command that helps, appended to the message.
    """
    known = list(choices)
    near = difflib.get_close_matches(value, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    step = f". {next_step}" if next_step else ""
    return UsageError(f"unknown {kind} {value!r}{hint}: choose from {', '.join(known)}{step}")
