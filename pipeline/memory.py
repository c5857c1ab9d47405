"""Memory: how much may be taken, and what is done where it, or a file, is short at a moment."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pipeline.errors import PipelineError

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

_LACKING = {
    errno.ENOMEM: "the memory does not suffice",
    errno.EMFILE: "too many files are open in this process",
    errno.ENFILE: "too many files are open on this machine",
}
_ADVICE = {
    errno.ENOMEM: "Make memory free (fewer processes, a smaller --batch-size)",
    errno.EMFILE: "Allow more of them (`ulimit -n`)",
    errno.ENFILE: "Close other programs",
}

_T = TypeVar("_T")

_HERE = threading.local()


class ShortageError(PipelineError):
    """The machine lacks what is needed, and nothing is known of the image that it was needed for."""


class _Gate:
    """Lets threads in together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside, self._taken = 0, False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._taken = True
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()


_GATE = _Gate()


def with_room(action: Callable[[], _T], *, to: str) -> _T:
    """Does what may want much memory, or a file: once more, and alone in this process, where that is short.

    Any thread may call it; within an action it only calls the action.

    Args:
        action: May raise MemoryError, or OSError where files cannot be opened for want of descriptors.
        to: What it is for, after "cannot".

    Raises:
        ShortageError: It does not suffice for this action alone.
        Exception: What else the action raises.
    """
    if getattr(_HERE, "inside", False):
        return action()
    _HERE.inside = True
    try:
        try:
            with _GATE.together():
                return action()
        except (MemoryError, OSError) as error:
            if not shortage(error):
                raise
        gc.collect()
        try:
            with _GATE.alone():
                return action()
        except (MemoryError, OSError) as error:
            if number := shortage(error):
                raise ShortageError(
                    f"cannot {to}: {_LACKING[number]}, not even for this alone. All finished rows are kept. "
                    f"{_ADVICE[number]} and run the same command again"
                ) from error
            raise
    finally:
        _HERE.inside = False


def shortage(error: BaseException) -> int:
    """Returns what the machine lacks, as a number of ``errno``; 0 where an error has another reason."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    return error.errno if isinstance(error, OSError) and error.errno in _LACKING else 0


def can_have(count: int) -> bool:
    """Tells whether the system would give so many bytes now; libraries often do not say why they failed."""
    try:
        mmap.mmap(-1, max(count, 1)).close()
    except (OSError, MemoryError, ValueError, OverflowError):
        return False
    return True


def available_bytes() -> int:
    """Returns the memory that can be taken without swapping, the limit of a container considered.

    Where the system does not tell what is available, the whole of its memory counts.
    """
    figures = [_of_the_machine(), _of_the_container()]
    return min(figure for figure in figures if figure is not None)


def _of_the_machine() -> int:
    try:
        lines = MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_the_container() -> int | None:
    """Reads version 2 of the control groups; pages of files that can be dropped count as free."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        figures = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return None if limit == "max" else int(limit) - used + int(figures["inactive_file"])
    except (OSError, KeyError, ValueError):
        return None
