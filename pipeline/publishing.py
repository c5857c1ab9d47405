"""Folders that are seen whole or not at all; with :mod:`pipeline.files`, all that is written or removed."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath

from pipeline.errors import ForeignFileError
from pipeline.files import (
    Known,
    LeftAlone,
    make_folder,
    refuse_links,
    remove,
    remove_folder,
    rename,
    would_stay,
)
from pipeline.progress import say

EXCHANGE = 2
"""``RENAME_EXCHANGE`` of renameat2(2)."""


@contextmanager
def published(folder: Path, *, root: Path, known: Known) -> Iterator[Path]:
    """Gives a draft folder to fill, and puts it in the place of ``folder`` when the block has succeeded.

    After an error the draft is removed and whatever stood in ``folder`` stays as it was. A draft of a
    process that was killed is removed by the next one. What this package did not make moves from the older
    folder into the new one.

    Args:
        folder: The folder.
        root: The folder that the user named, above it.
        known: Tells what this package puts into such a folder.

    Raises:
        ForeignFileError: A link stands on the way, or something else where a new file is to be.
        OSError: The folder cannot be written.
    """
    make_folder(folder.parent, root=root)
    refuse_links(folder, root=root, folder=True)
    _remove_abandoned(folder, root, known)
    draft, handle = _new_draft(folder, root)
    try:
        yield draft
        put_in_place(draft, folder, root=root, known=known)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(handle)


def put_in_place(draft: Path, folder: Path, *, root: Path, known: Known) -> None:
    """Puts a folder in the place of another, and takes over from the older what this package did not make.

    It is on the disk before it is in its place, and its name is when this returns.

    Raises:
        ForeignFileError: Such a file has the name of a new one.
        OSError: The folder cannot be replaced; it stays as it was.
    """
    for one in foreign_files(folder, root=root, known=known):
        if os.path.lexists(draft / one.path.relative_to(folder)):
            raise ForeignFileError(one.path, one.reason, root)
    _flush(draft)
    older = _replace_folder(draft, folder)
    sync_to_disk(folder.parent)
    if older is None:
        return
    for one in foreign_files(older, root=root, known=known):
        name = one.path.relative_to(older)
        with suppress(OSError, ForeignFileError):  # then it stays where it is, and is named below
            rename(older / name, folder / name, root=root)
    _remove_tree(older, root, known)
    for one in foreign_files(older, root=root, known=known):
        say(str(one))


def foreign_files(folder: Path, *, root: Path, known: Known) -> list[LeftAlone]:
    """Lists what this package did not make in a folder, and what cannot be read now; no link is followed."""
    found = []
    for path in _files_below(folder):
        below = PurePath(path.relative_to(folder))
        if reason := would_stay(path, root=root, known=partial(_known_as, known, below)):
            found.append(reason)
    return found


def _known_as(known: Known, below: PurePath, _: PurePath, head: bytes) -> bool:
    """Tells whether this package made a file, by its place in the folder instead of its name."""
    return known(below, head)


def _files_below(folder: Path) -> list[Path]:
    """Lists all that is no folder, links to folders among it."""
    return sorted(
        Path(place, name)
        for place, folders, files in os.walk(folder)
        for name in [*files, *(one for one in folders if os.path.islink(os.path.join(place, one)))]
    )


def _remove_tree(folder: Path, root: Path, known: Known) -> None:
    """Removes what this package made in a folder, and the folders that are empty then."""
    for path in _files_below(folder):
        below = PurePath(path.relative_to(folder))
        remove(path, root=root, known=partial(_known_as, known, below))
    for place, _, _ in os.walk(folder, topdown=False):
        remove_folder(Path(place), root=root)


def _new_draft(folder: Path, root: Path) -> tuple[Path, int]:
    """Makes a draft and returns it with the open handle whose lock tells that its process is alive."""
    while True:
        draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
        make_folder(draft, root=root)
        handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        with suppress(OSError):  # no locks for folders here, as on NFS: abandoned drafts stay, too
            fcntl.flock(handle, fcntl.LOCK_EX)
        if draft.exists():
            return draft, handle
        os.close(handle)  # taken for an abandoned one before it was locked


def _remove_abandoned(folder: Path, root: Path, known: Known) -> None:
    for draft in folder.parent.iterdir():
        if re.fullmatch(rf"\.{re.escape(folder.name)}-[0-9a-f]{{8}}(-older)?", draft.name):
            with suppress(OSError):  # in use, just removed by another process, or a link
                handle = os.open(draft, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if draft.name.endswith("-older") and not folder.exists():
                        draft.rename(folder)  # it was to be replaced when its process was killed
                    else:
                        _remove_tree(draft, root, known)
                        for one in foreign_files(draft, root=root, known=known):
                            say(str(one))
                finally:
                    os.close(handle)


def _flush(folder: Path) -> None:
    # A rename can reach the disk before the bytes it points to: after a power cut the name would be there
    # with empty files behind it.
    for path in [*folder.rglob("*"), folder]:
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


def _replace_folder(draft: Path, folder: Path) -> Path | None:
    """Puts a folder in the place of another, in one step where the system can.

    Returns:
        Where the older one stands now, for the caller to remove; None where there was none. Files of others
        may be in it, so it never has the name of the draft, which is removed whole whenever a run is stopped.

    Raises:
        OSError: The folder cannot be replaced; it stays as it was.
    """
    with suppress(OSError):  # there is an older one, and be it only since a moment ago
        draft.rename(folder)
        return None
    older = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}-older")
    draft.rename(older)
    if _exchange(older, folder):
        return older
    # POSIX renames onto empty folders only, so the older one steps aside first and returns on failure.
    older.rename(draft)
    folder.rename(older)
    try:
        draft.rename(folder)
    except OSError:
        older.rename(folder)
        raise
    return older


def _exchange(draft: Path, folder: Path) -> bool:
    """Swaps two folders in one step, where system and file system can: a reader finds one or the other."""
    try:
        swap = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    here = -100  # AT_FDCWD
    return swap(here, os.fsencode(draft), here, os.fsencode(folder), EXCHANGE) == 0
