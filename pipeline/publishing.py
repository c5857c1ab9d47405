"""Folders that are seen whole or not at all."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EXCHANGE = 2
"""``RENAME_EXCHANGE`` of renameat2(2)."""


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Gives a draft folder to fill, and puts it in the place of ``folder`` when the block has succeeded.

    After an error the draft is removed and whatever stood in ``folder`` stays as it was. A draft of a
    process that was killed is removed by the next one.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    draft, handle = _new_draft(folder)
    try:
        yield draft
        _flush(draft)
        replace_folder(draft, folder)
        sync_to_disk(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(handle)


def _new_draft(folder: Path) -> tuple[Path, int]:
    """Makes a draft and returns it with the open handle whose lock tells that its process is alive."""
    while True:
        draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
        draft.mkdir()
        handle = os.open(draft, os.O_RDONLY)
        with suppress(OSError):  # no locks for folders here, as on NFS: abandoned drafts stay, too
            fcntl.flock(handle, fcntl.LOCK_EX)
        if draft.exists():
            return draft, handle
        os.close(handle)  # taken for an abandoned one before it was locked


def _remove_abandoned(folder: Path) -> None:
    for draft in folder.parent.iterdir():
        if re.fullmatch(rf"\.{re.escape(folder.name)}-[0-9a-f]{{8}}(-older)?", draft.name):
            with suppress(OSError):  # in use, or just removed by another process
                handle = os.open(draft, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _restore(draft, folder)
                    shutil.rmtree(draft)
                finally:
                    os.close(handle)


def _restore(draft: Path, folder: Path) -> None:
    """Puts an older folder back that was to be replaced when its process was killed."""
    if draft.name.endswith("-older") and not folder.exists():
        draft.rename(folder)


def _flush(folder: Path) -> None:
    # A rename can reach the disk before the bytes it points to: after a power cut the name would be there
    # with empty files behind it.
    for path in [*folder.iterdir(), folder]:
        sync_to_disk(path)


@contextmanager
def pinned(folder: Path) -> Iterator[int]:
    """Opens a folder: what is done through the handle is done in it, whatever takes its place meanwhile.

    Only one process at a time has it.

    Raises:
        OSError: It is no folder, or a link.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with suppress(OSError):  # no locks for folders here, as on NFS: the last of two to write wins
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def replace_within(handle: int, name: str, content: bytes) -> None:
    """Gives a file in a pinned folder other content, in one step; no link is followed.

    Raises:
        OSError: It cannot be written; the file stays as it was.
    """
    draft = f".{name}.draft"
    with suppress(FileNotFoundError):  # of a process that was killed
        os.unlink(draft, dir_fd=handle)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(draft, flags, 0o644, dir_fd=handle), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, name, src_dir_fd=handle, dst_dir_fd=handle)
        os.fsync(handle)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=handle)


def sync_to_disk(path: Path) -> None:
    """Makes a file durable, or what stands in a folder, after a rename for example."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_folder(draft: Path, folder: Path) -> None:
    """Puts a folder in the place of another, in one step where the system can.

    The older one may then stand where the draft was, for the caller to remove.

    Raises:
        OSError: The folder cannot be replaced; it stays as it was.
    """
    if _exchange(draft, folder):
        return
    try:
        draft.rename(folder)
    except OSError:  # there is an older one, and be it only since a moment ago
        if not _exchange(draft, folder):
            _step_aside(draft, folder)


def _exchange(draft: Path, folder: Path) -> bool:
    """Swaps two folders in one step, where system and file system can: a reader finds one or the other."""
    try:
        swap = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    here = -100  # AT_FDCWD
    return swap(here, os.fsencode(draft), here, os.fsencode(folder), EXCHANGE) == 0


def _step_aside(draft: Path, folder: Path) -> None:
    # POSIX renames onto empty folders only, so the older one steps aside first and returns on failure.
    older = draft.with_name(f"{draft.name}-older")
    folder.rename(older)
    try:
        draft.rename(folder)
    except OSError:
        older.rename(folder)
        raise
    shutil.rmtree(older, ignore_errors=True)
