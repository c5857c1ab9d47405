"""Stopping: whatever a command is at, Ctrl-C ends it within two seconds and finished work is kept."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

EXIT_CODE = 130
GRACE_S = 1.0
"""Seconds in which a command may end by itself; two, less what the last commit and the exit take."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_kept: list[Callable[[], object]] = []


@contextmanager
def kept_when_stopped(keep: Callable[[], object]) -> Iterator[None]:
    """Has something done before the process is ended in the middle of the block.

    Args:
        keep: Makes finished work durable; called from another thread, beside whatever is going on.
    """
    _kept.append(keep)
    try:
        yield
    finally:
        _kept.remove(keep)


@contextmanager
def stoppable(last_words: Callable[[], object]) -> Iterator[None]:
    """Raises KeyboardInterrupt at the first SIGINT, SIGTERM or SIGHUP, and ends the process where that fails.

    Python runs signal handlers between two steps of the main thread, and native code may keep that thread
    for minutes: a forward pass, a fit. So a second thread hears of the signal, too; if the process is still
    there after ``GRACE_S``, it keeps what is finished, speaks the last words and ends it with ``EXIT_CODE``.

    A signal that was ignored before stays ignored (``nohup``, jobs in the background of a script). Outside
    the main thread nothing is changed, for Python handles signals nowhere else.

    Args:
        last_words: Tells the user how to go on; called from the second thread.
    """
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hears, tells = os.pipe()
    os.set_blocking(tells, False)
    stopped = threading.Event()
    atexit.register(_leave)

    def interrupt(number: int, frame: object) -> NoReturn:
        stopped.set()
        for other in handled:
            signal.signal(other, signal.SIG_IGN)  # a second Ctrl-C must not cut short the clearing up
        raise KeyboardInterrupt

    def is_ours(number: int) -> bool:
        return (
            stopped.is_set() or signal.getsignal(number) is interrupt
        )  # a server may have a handler of its own

    threading.Thread(target=_end_late, args=(hears, is_ours, last_words), daemon=True).start()
    before = {number: signal.signal(number, interrupt) for number in handled}
    wakeup = signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    try:
        yield
    except Exception as error:
        if stopped.is_set():  # the signal parted what belongs together, as a descriptor and its end
            raise KeyboardInterrupt from error
        raise
    finally:
        if not stopped.is_set():  # else both stay on guard until the process has ended
            atexit.unregister(_leave)
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(tells)


def _leave() -> None:
    """Ends the process as Python shuts down: large libraries take seconds to be torn down after that."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(EXIT_CODE)


def _end_late(hears: int, is_ours: Callable[[int], bool], last_words: Callable[[], object]) -> None:
    """Waits for a signal; ends the process if it is still there some time later."""
    try:
        stderr = os.dup(2)  # a library may send file descriptor 2 elsewhere while it is loaded
    except OSError:
        stderr = -1  # the command was started without
    while received := os.read(hears, 1):
        if received[0] in SIGNALS and is_ours(received[0]):
            time.sleep(GRACE_S)
            for keep in list(_kept):
                with suppress(Exception):
                    keep()
            with suppress(Exception):
                if stderr >= 0:
                    os.dup2(stderr, 2)
                last_words()
            os._exit(EXIT_CODE)
    os.close(hears)
    if stderr >= 0:
        os.close(stderr)
