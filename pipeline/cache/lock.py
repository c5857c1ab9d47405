"""One filler an entry: an advisory lock that names its holder and ends with it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.progress import say

LOCK_FILE = ".lock"
POLL_S = 0.2


@contextmanager
def filling_lock(folders: Sequence[Path], *, wait_s: float = float("inf")) -> Iterator[None]:
    """Holds the right to fill some entries; waits for another filler and says who it is.

    The kernel drops the lock when its process ends, however it ends, so a lock is never stale. Locks are
    taken in sorted order: two runs over the same entries cannot block each other for ever.

    Args:
        folders: Folders of the entries; created where absent.
        wait_s: Seconds to wait for another process before giving up.

    Raises:
        PipelineError: Another process still holds an entry after ``wait_s``, or the cache cannot be written.
    """
    with ExitStack() as held:
        for folder in sorted(set(folders)):
            held.enter_context(_lock(folder, wait_s))
        yield


@contextmanager
def _lock(folder: Path, wait_s: float) -> Iterator[None]:
    path = folder / LOCK_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise PipelineError(
            f"cannot write the cache at {folder}: {error.strerror}. Choose another place with --cache"
        ) from error
    try:
        _acquire(fd, folder, wait_s)
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        yield
    finally:
        os.close(fd)


def _acquire(fd: int, folder: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    announced = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _holder(fd)
            if time.monotonic() >= deadline:
                raise PipelineError(
                    f"{folder} is being filled by {holder}: run again when it has ended"
                ) from None
            if not announced:
                say(f"waiting: {folder} is being filled by {holder}")
                announced = True
            time.sleep(POLL_S)


def _holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        return f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
