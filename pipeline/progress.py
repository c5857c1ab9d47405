"""Progress on stderr: a live bar in a terminal, a widget in a notebook, plain lines in a log."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from importlib.util import find_spec

PLAIN_INTERVAL_S = 5.0
LATE_S = 2.0
"""What takes no longer shows no progress where it mostly takes no time."""
WARNING = "WARNING"
"""How a line begins that is said at any rate."""

_STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but the line feed, line separators, and marks that turn the direction of writing."""

Advance = Callable[[int], None]


class Loudness(Enum):
    """How much is said."""

    QUIET = "warnings"
    USUAL = "usual"
    VERBOSE = "with the time"


_loudness, _started = Loudness.USUAL, time.monotonic()


def speak(loudness: Loudness) -> None:
    """Chooses how much is said from now on; times count from now."""
    global _loudness, _started
    _loudness, _started = loudness, time.monotonic()


def say(message: str) -> None:
    """Prints one line for the user on stderr; stdout belongs to data.

    A log on a full disk, or a terminal that is gone, is no reason to stop.
    """
    if _loudness is Loudness.QUIET and not message.startswith(WARNING):
        return
    when = f"{time.monotonic() - _started:8.2f} s  " if _loudness is Loudness.VERBOSE else ""
    with suppress(OSError):
        print(when + harmless(message), file=sys.stderr, flush=True)


def harmless(message: str) -> str:
    r"""Writes what could steer a terminal as ``\xNN``: names of files and classes come from anywhere."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), message)


@contextmanager
def progress(title: str, total: int, unit: str = "rows") -> Iterator[Advance]:
    """Shows how far a long step is, with its rate and the time left.

    Yields:
        A function that is told how many units have just been finished.
    """
    with _shown(title, total, unit, time.monotonic()) as advance:
        yield advance


@contextmanager
def late_progress(title: str, total: int, unit: str = "rows") -> Iterator[Advance]:
    """Does as :func:`progress` from the moment on at which two seconds have passed; before, it is silent."""
    started, done = time.monotonic(), 0
    shown: Advance | None = None
    with ExitStack() as opened:

        def advance(count: int) -> None:
            nonlocal done, shown
            done += count
            if shown is not None:
                shown(count)
            elif done < total and time.monotonic() - started >= LATE_S:
                shown = opened.enter_context(_shown(title, total, unit, started))
                shown(done)

        yield advance


@contextmanager
def _shown(title: str, total: int, unit: str, started: float) -> Iterator[Advance]:
    if _loudness is Loudness.QUIET:
        yield lambda count: None
        return
    show = _bar if sys.stderr.isatty() or _shows_widgets() else _lines
    with show(title, total, unit, started) as advance:
        yield advance


def _shows_widgets() -> bool:
    """Tells whether this is a notebook with ipywidgets at hand, with which rich draws its bar."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell" and find_spec("ipywidgets") is not None


@contextmanager
def _bar(title: str, total: int, unit: str, started: float) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f} " + unit + "/s"),
        TimeRemainingColumn(),
    )
    done = 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, rate=0.0)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bar.update(task, completed=done, rate=done / max(time.monotonic() - started, 1e-9))

        yield advance


@contextmanager
def _lines(title: str, total: int, unit: str, started: float) -> Iterator[Advance]:
    last, done = started, 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL_S and done < total:
            last = now
            rate = done / (now - started)
            say(
                f"{title}: {done:,}/{total:,} {unit}, {rate:.0f} {unit}/s, {(total - done) / rate:.0f} s left"
            )

    yield advance
