"""Who works in an entry: many at a time, who fill its files, or one alone, who removes what they need."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePath

from pipeline.cache import own
from pipeline.cache.lock import LOCK_FILE, acquire, held_alone, is_still_at, sign
from pipeline.files import remove, remove_folder, root_of, would_stay


class Presence:
    """The right to work in some entries' folders, shared with others."""

    def __init__(self, locks: Sequence[tuple[Path, int]]) -> None:
        self._locks = locks

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Tells whether nobody else works in these folders; then nobody can begin to, either.

        Whoever is told that he is not alone leaves: flock(2) may take his share from him, too.
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

    def leave(self) -> None:
        """Removes folders in which nothing has been made, and gives up the right."""
        with suppress(OSError), self.alone() as alone:
            for path, file in self._locks if alone else ():
                if is_still_at(path, file):
                    _remove_if_empty(path.parent, own.cache_of(path))


@contextmanager
def working_in(folders: Sequence[Path]) -> Iterator[Presence]:
    """Shares the right to work in some entries; waits for who holds one of them alone.

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
        presence = Presence(locks)
        try:
            yield presence
        finally:
            presence.leave()


@contextmanager
def alone_in(folder: Path, *, wait_s: float = float("inf"), depth: int = 2) -> Iterator[None]:
    """Holds an entry's folder alone; a folder in which nothing has been made is removed afterwards.

    Args:
        folder: Of the entry, or of a quantised network.
        wait_s: Seconds to wait for others.
        depth: How many folders below the cache it is.

    Raises:
        BusyError: Others still work in it after ``wait_s``; it names one that fills a file.
        PipelineError: The cache cannot be written.
    """
    path, root = folder / LOCK_FILE, root_of(folder / LOCK_FILE, depth)
    with held_alone(path, wait_s, root=root) as file:
        try:
            yield
        finally:
            with suppress(OSError):
                sign(path, file, "")  # who shares it later is somebody else
                if is_still_at(path, file):
                    _remove_if_empty(folder, root)


def _remove_if_empty(folder: Path, root: Path) -> None:
    """Removes a folder that holds nothing but what every run makes first; the caller is alone in it."""
    paths = sorted(folder.iterdir(), key=lambda path: (path.name == LOCK_FILE, path))
    if any(would_stay(path, root=root, known=_made_first) for path in paths):
        return
    for path in paths:  # the lock is the last: until then nobody else is at work here
        remove(path, root=root, known=_made_first)
    if remove_folder(folder, root=root):
        remove_folder(folder.parent, root=root)


def _made_first(name: PurePath, head: bytes) -> bool:
    return own.is_lock(name, head) or own.is_spec(name, head)
