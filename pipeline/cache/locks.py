"""Locks that end with their holder: of a file that is filled, and of an entry, shared or exclusive.

They lie beside what they guard, where every version of this package looks for them: an older one at work in
the same cache must meet the same lock.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePath

from pipeline.cache import entries
from pipeline.errors import PipelineError, reason_of
from pipeline.files import HEAD_BYTES, make_folder, open_file, remove, remove_folder, root_of, would_stay
from pipeline.plain_json import parse_json
from pipeline.progress import say

LOCK_FILE = ".lock"
"""Of an entry's folder: shared by all who fill files in it, exclusive to who removes what they may need."""

POLL_S = 0.2
ATTEMPTS = 100
"""How often a folder is made again that another process, done with it, removes at the same time."""


class BusyError(PipelineError):
    """Another process holds a lock."""


@contextmanager
def fill_lock(files: Sequence[Path], *, wait_s: float = float("inf")) -> Iterator[None]:
    """Holds the right to fill some files of entries; waits for other fillers and says who they are.

    The kernel drops a lock when its process ends, however it ends, so a lock is never stale. Locks are taken
    in sorted order: two runs over the same files cannot block each other for ever.

    Args:
        files: What is to be filled; the lock of ``train.h5`` is ``.train.lock`` beside it.
        wait_s: Seconds to wait for each other process before giving up.

    Raises:
        BusyError: Another process still holds a file after ``wait_s``.
        PipelineError: The cache cannot be written.
    """
    with ExitStack() as held:
        for path in sorted({lock_of(file) for file in files}):
            file = held.enter_context(_signed(path, wait_s))
            held.callback(_remove, path, file)
        yield


def lock_of(file: Path) -> Path:
    """Returns the lock of a feature file."""
    return file.with_name(f".{file.stem}{LOCK_FILE}")


@contextmanager
def _signed(path: Path, wait_s: float, *, root: Path | None = None) -> Iterator[int]:
    """Holds an exclusive lock with the name of this process in it; yields the open file."""
    file = acquire(path, wait_s, fcntl.LOCK_EX, root=root)
    try:
        with suppress(OSError):  # on a full disk the holder has no name, and the lock holds all the same
            sign(path, file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield file
    finally:
        os.close(file)


def sign(path: Path, file: int, holder: str) -> None:
    """Writes the name of its holder into a lock, or none; what is no lock of this package holds unsigned."""
    known = os.pread(file, HEAD_BYTES, 0)
    if os.fstat(file).st_nlink == 1 and entries.is_lock(path, known):
        os.ftruncate(file, 0)
        os.pwrite(file, holder.encode(), 0)


def _remove(path: Path, file: int) -> None:
    """Removes a lock that this process holds; who waits for it looks whether it is still there."""
    with suppress(OSError):
        if is_still_at(path, file):
            remove(path, root=entries.cache_of(path), known=entries.is_lock)


def acquire(path: Path, wait_s: float, kind: int, *, root: Path | None = None) -> int:
    """Returns an open file that is locked and is the one that anybody else would try to lock.

    Args:
        path: The lock; its folder is created where absent.
        wait_s: Seconds to wait.
        kind: ``LOCK_SH`` or ``LOCK_EX`` of ``fcntl``.
        root: The cache; default: that of a file in an entry.

    Raises:
        BusyError: Another process still holds it after ``wait_s``.
        PipelineError: The cache cannot be written, or a link stands there.
    """
    deadline = time.monotonic() + wait_s
    polls = 0
    while True:
        file = _open(path, root or entries.cache_of(path))
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            if is_still_at(path, file):
                return file
            os.close(file)  # its holder was done with it and has removed it
            continue
        except BlockingIOError:
            holder = _holder(path)
            os.close(file)
        except OSError as error:
            os.close(file)
            raise PipelineError(
                f"the file system of {path.parent} has no locks ({reason_of(error)}), and without them two "
                "runs could fill the same file: choose another place with --cache"
            ) from error
        if time.monotonic() >= deadline:
            raise BusyError(f"{_locked(path)} is being filled by {holder}: run again when it has ended")
        if polls == 1:  # not at once: who releases a shared lock tries to hold it exclusively for a moment
            say(f"waiting: {_locked(path)} is being filled by {holder}")
        time.sleep(POLL_S)
        polls += 1


def _open(path: Path, root: Path) -> int:
    for attempt in itertools.count(1):
        try:
            make_folder(path.parent, root=root)
            return open_file(path, os.O_RDWR | os.O_CREAT, root=root)
        except OSError as error:
            if isinstance(error, (FileNotFoundError, FileExistsError)) and attempt < ATTEMPTS:
                continue
            raise PipelineError(
                f"cannot write the cache at {path.parent}: {reason_of(error)}. "
                "Choose another place with --cache"
            ) from error
    raise AssertionError


def is_still_at(path: Path, fd: int) -> bool:
    """Tells whether a path still leads to an open file, which may have been removed or replaced."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def is_lock(path: Path) -> bool:
    """Tells whether a file is a lock by its name."""
    return path.name.startswith(".") and path.name.endswith(LOCK_FILE)


def _locked(path: Path) -> Path:
    """Returns what a lock stands for: a folder, or a feature file in it."""
    name = path.name.removesuffix(LOCK_FILE).removeprefix(".")
    return path.with_name(f"{name}.h5") if name else path.parent


def _holder(path: Path) -> str:
    """Names who holds a lock; of a folder's, one of those who fill a file in it, if any."""
    inside = sorted(path.parent.glob(f".?*{LOCK_FILE}")) if path.name == LOCK_FILE else []
    for lock in [*inside, path]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            holder = parse_json(lock.read_bytes()[:4096])
            return f"process {holder['pid']} on {holder['host']}"
    return "another process"


class SharedLock:
    """The locks of some entries' folders, shared with others who work there."""

    def __init__(self, locks: Sequence[tuple[Path, int]]) -> None:
        self._locks = locks

    @contextmanager
    def try_exclusive(self) -> Iterator[bool]:
        """Tries to hold the locks exclusively for a while, without waiting.

        Yields:
            Whether nobody else works in these folders; then nobody can begin to, either. If False, release
            the lock: flock(2) may already have dropped the shared one.
        """
        try:
            for _, file in self._locks:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            for _, file in self._locks:
                fcntl.flock(file, fcntl.LOCK_SH)

    def remove_empty(self) -> None:
        """Removes folders in which nothing has been made, unless others work in them."""
        with suppress(OSError), self.try_exclusive() as exclusive:
            for path, file in self._locks if exclusive else ():
                if is_still_at(path, file):
                    _remove_if_empty(path.parent, entries.cache_of(path))


@contextmanager
def shared_lock(folders: Sequence[Path]) -> Iterator[SharedLock]:
    """Holds the locks of some entries, shared with others; waits for who holds one exclusively.

    Args:
        folders: Folders of the entries; created where absent, and removed again if nothing is made in them.

    Raises:
        PipelineError: The cache cannot be written.
    """
    with ExitStack() as held:
        locks = []
        for folder in sorted(set(folders)):
            file = acquire(folder / LOCK_FILE, float("inf"), fcntl.LOCK_SH)
            held.callback(os.close, file)
            locks.append((folder / LOCK_FILE, file))
        lock = SharedLock(locks)
        try:
            yield lock
        finally:
            lock.remove_empty()


@contextmanager
def exclusive_lock(folder: Path, *, wait_s: float = float("inf"), depth: int = 2) -> Iterator[None]:
    """Holds an entry's lock exclusively; a folder in which nothing has been made is removed afterwards.

    Args:
        folder: Of the entry, or of a quantised network.
        wait_s: Seconds to wait for others.
        depth: How many folders below the cache it is.

    Raises:
        BusyError: Others still work in it after ``wait_s``; it names one that fills a file.
        PipelineError: The cache cannot be written.
    """
    path, root = folder / LOCK_FILE, root_of(folder / LOCK_FILE, depth)
    with _signed(path, wait_s, root=root) as file:
        try:
            yield
        finally:
            with suppress(OSError):
                sign(path, file, "")  # who shares it later is somebody else
                if is_still_at(path, file):
                    _remove_if_empty(folder, root)


def _remove_if_empty(folder: Path, root: Path) -> None:
    """Removes a folder that holds nothing but what every run makes first; the caller holds it exclusively."""
    paths = sorted(folder.iterdir(), key=lambda path: (path.name == LOCK_FILE, path))
    if any(would_stay(path, root=root, known=_made_first) for path in paths):
        return
    for path in paths:  # the lock is the last: until then nobody else is at work here
        remove(path, root=root, known=_made_first)
    if remove_folder(folder, root=root):
        remove_folder(folder.parent, root=root)


def _made_first(name: PurePath, head: bytes) -> bool:
    return entries.is_lock(name, head) or entries.is_spec(name, head)
