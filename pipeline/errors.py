"""Errors that end a command with one clear line and an exit code of their own."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

OF_CONTENT = frozenset((errno.EINVAL, errno.EOVERFLOW, errno.EFBIG, errno.ENXIO))
"""What the system answers where a damaged file asks for places that no file has."""


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


class ForeignFileError(PipelineError):
    """Something that this package did not make stands where it was to write.

    Attributes:
        path: Where.
        reason: What stands there: "is a link to ...".
    """

    def __init__(self, path: Path, reason: str, root: Path) -> None:
        self.path, self.reason, self._root = path, reason, root
        super().__init__(
            f"{path} {reason}; nothing was written or removed there: move it away, or choose another folder "
            f"than {root}"
        )

    def __reduce__(self) -> tuple[type[ForeignFileError], tuple[Path, str, Path]]:
        """Rebuilds it in another process."""
        return type(self), (self.path, self.reason, self._root)


class UnreadableFileError(PipelineError):
    """The system does not let a file be read now; what it holds is not known, so it is not to be removed.

    A file that was read and found damaged is a :class:`CacheMismatchError`, and this is none.

    Attributes:
        path: The file.
        reason: "cannot be read now (...)", with what the system says.
    """

    def __init__(self, path: Path, refusal: str) -> None:
        self.path, self._refusal, self.reason = path, refusal, f"cannot be read now ({refusal})"
        super().__init__(
            f"{path} {self.reason}, which does not mean that it is damaged: it is left as it is. See to its "
            "permissions, the disk or the memory, and run again"
        )

    def __reduce__(self) -> tuple[type[UnreadableFileError], tuple[Path, str]]:
        """Rebuilds it in another process."""
        return type(self), (self.path, self._refusal)


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


def system_refusal(error: BaseException) -> str:
    """Says why the system did not let a file be read; empty where the reason lies in what was read.

    HDF5 tells of the system in the text of errors of many classes: a header that cannot be read for a bad
    disk is a ``KeyError``.
    """
    if isinstance(error, MemoryError):
        return "out of memory"
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := re.search(r"\berrno = (\d+), error message", str(error))):
        number = int(found[1])
    return "" if not number or number in OF_CONTENT else os.strerror(number)


def reason_of(error: BaseException) -> str:
    """Says on one line why something failed: in the system's words, else the error's own, else its name."""
    words = error.strerror if isinstance(error, OSError) else ""
    return words or next(iter(str(error).strip().splitlines()), "") or type(error).__name__


@contextmanager
def disk_errors(trouble: str, advice: str) -> Iterator[None]:
    """Turns what the disk refuses into one line.

    Args:
        trouble: What cannot be done: "cannot write ...".
        advice: What to do about it.

    Raises:
        PipelineError: With both, and the reason between them.
    """
    try:
        yield
    except OSError as error:
        raise PipelineError(f"{trouble}: {reason_of(error)}. {advice}") from error
