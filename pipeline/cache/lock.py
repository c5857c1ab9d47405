"""One filler an entry: an advisory lock that names its holder and ends with it."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pipeline.cache.entries import SPEC_FILE
from pipeline.errors import PipelineError
from pipeline.progress import say

LOCK_FILE = ".lock"
POLL_S = 0.2
ATTEMPTS = 100
"""How often a folder is made again that another process, done with it, removes at the same time."""


@contextmanager
def filling_lock(folders: Sequence[Path], *, wait_s: float = float("inf")) -> Iterator[None]:
    """Holds the right to fill some entries; waits for another filler and says who it is.

    The kernel drops the lock when its process ends, however it ends, so a lock is never stale. Locks are
    taken in sorted order: two runs over the same entries cannot block each other for ever. A folder in which
    nothing has been made is removed again.

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
    fd = _acquire(folder, wait_s)
    try:
        with suppress(OSError):  # on a full disk the holder has no name, and the lock holds all the same
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        yield
    finally:
        with suppress(OSError):
            if is_still_at(folder / LOCK_FILE, fd):
                _remove_if_empty(folder)
        os.close(fd)


def _acquire(folder: Path, wait_s: float) -> int:
    """Returns an open file that is locked and is the one that anybody else would try to lock."""
    deadline = time.monotonic() + wait_s
    announced = False
    while True:
        fd = _open(folder)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_still_at(folder / LOCK_FILE, fd):
                return fd
            os.close(fd)  # its holder removed the entry, and the lock file with it
            continue
        except BlockingIOError:
            holder = _holder(fd)
            os.close(fd)
        except OSError as error:
            os.close(fd)
            raise PipelineError(
                f"the file system of {folder} has no locks ({error.strerror}), and without them two runs "
                "could fill the same file: choose another place with --cache"
            ) from error
        if time.monotonic() >= deadline:
            raise PipelineError(f"{folder} is being filled by {holder}: run again when it has ended")
        if not announced:
            say(f"waiting: {folder} is being filled by {holder}")
            announced = True
        time.sleep(POLL_S)


def _open(folder: Path) -> int:
    for attempt in itertools.count(1):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, FileExistsError)) and attempt < ATTEMPTS:
                continue
            raise PipelineError(
                f"cannot write the cache at {folder}: {error.strerror}. Choose another place with --cache"
            ) from error
    raise AssertionError


def is_still_at(path: Path, fd: int) -> bool:
    """Tells whether a path still leads to an open file, which may have been removed or replaced."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _remove_if_empty(folder: Path) -> None:
    """Removes a folder that holds nothing but what every run makes first; the caller holds its lock."""
    names = set(os.listdir(folder))
    if names <= {LOCK_FILE, SPEC_FILE}:
        for name in sorted(names, reverse=True):  # the lock last: until then nobody else is at work here
            (folder / name).unlink()
        folder.rmdir()
        folder.parent.rmdir()


def _holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        return f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
