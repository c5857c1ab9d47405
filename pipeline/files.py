"""Every write and every removal below a cache or a run folder.

Two rules hold here, and so everywhere: no write and no removal passes a link, and nothing is removed or
replaced but what this package made, which is known by its content. Caches, runs and what stands in them can
come from anywhere. ``root`` is always the folder that the user named, which alone may be a link.
Folders that are replaced whole are in :mod:`pipeline.publishing`, which is built on this.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from pipeline.errors import ForeignFileError, UnreadableFileError, system_refusal

HEAD_BYTES = 1 << 16
"""How much of a file is read to see whether this package made it."""

Known = Callable[[PurePath, bytes], bool]
"""Tells, from its name within its folder and its first bytes, whether this package made a file."""

BESIDE_DATABASE = {
    "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",),
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-shm": (b"\x18\xe2\x2d\0", b"\0\x2d\xe2\x18"),
}
"""Ends of the names of files that SQLite puts beside a database, and how they begin unless they are blank."""

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # the last: opening a named pipe would wait for ever

_A_FOLDER = "is a folder"


def is_blank(head: bytes) -> bool:
    """Tells whether nothing is in a file but zeros, as a power cut leaves it."""
    return not head.strip(b"\0")


@dataclass(frozen=True)
class LeftAlone:
    """A file that was to go or to be used, and stays as it is.

    Attributes:
        path: The file.
        reason: What is the matter with it: "is a link to ...", "cannot be read now (...)".
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}: it is left as it is"

    def to_json(self) -> dict[str, str]:
        """Returns the object of ``--json``."""
        return {"file": str(self.path), "reason": self.reason}


def root_of(path: Path, folders: int) -> Path:
    """Returns the folder that the user named, with so many others between it and a path."""
    parents = path.parents
    return parents[min(folders, len(parents) - 1)]


def make_folder(folder: Path, *, root: Path) -> None:
    """Makes a folder and those above it.

    Raises:
        ForeignFileError: One of them is a link.
        OSError: It cannot be made.
    """
    with _opened(folder, root, make=True):
        pass


def open_file(path: Path, flags: int, *, root: Path) -> int:
    """Opens a regular file as ``os.open`` does, with folders that are there; it is never emptied.

    Raises:
        ForeignFileError: A link stands on the way, or no regular file there.
        OSError: It cannot be opened.
    """
    with _opened(path.parent, root) as folder:
        try:
            file = os.open(path.name, flags & ~os.O_TRUNC | _FILE, 0o644, dir_fd=folder)
        except OSError as error:
            if found := _other_kind(folder, path.name):
                raise ForeignFileError(path, found, root) from error
            raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ForeignFileError(path, "is no regular file", root)
    return file


def create(path: Path, *, root: Path) -> int:
    """Makes a file under a name that only a process of this number uses, and opens it to be written."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        return open_file(path, flags, root=root)
    except FileExistsError:  # of a process that was killed
        discard(path, root=root)
        return open_file(path, flags, root=root)


def discard(path: Path, *, root: Path) -> None:
    """Removes what :func:`create` made, where it is still there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), _opened(path.parent, root) as folder:
        if found := _other_kind(folder, path.name):
            raise ForeignFileError(path, found, root)
        os.unlink(path.name, dir_fd=folder)


@contextlib.contextmanager
def written(path: Path, *, root: Path, known: Known) -> Iterator[BinaryIO]:
    """Gives a draft to write, which takes the place of a file, whole, when the block has succeeded.

    Raises:
        ForeignFileError: Something else stands there.
        UnreadableFileError: What stands there cannot be read now.
        OSError: It cannot be written.
    """
    refuse_foreign(path, root=root, known=known)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(create(draft, root=root), "wb") as file:
            yield file
        replace(draft, path, root=root, known=known)
    finally:
        with contextlib.suppress(OSError):
            discard(draft, root=root)


def replace(draft: Path, path: Path, *, root: Path, known: Known) -> None:
    """Gives a file another name, which an older one of this package may have; both last from then on.

    Raises:
        ForeignFileError: Something else stands there.
        UnreadableFileError: What stands there cannot be read now.
        OSError: It cannot be done.
    """
    refuse_foreign(path, root=root, known=known)
    with _opened(draft.parent, root) as source, _opened(path.parent, root) as folder:
        # A rename can reach the disk before the bytes it points to: after a power cut the name would be there
        # with an empty file behind it.
        _sync(source, draft.name)
        os.replace(draft.name, path.name, src_dir_fd=source, dst_dir_fd=folder)
        _sync(folder, ".")


def rename(path: Path, other: Path, *, root: Path) -> None:
    """Moves a file or folder to a free name; a link is moved itself.

    Raises:
        FileExistsError: The name is taken.
    """
    with _opened(path.parent, root) as source, _opened(other.parent, root, make=True) as target:
        if _status(target, other.name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(other))
        os.rename(path.name, other.name, src_dir_fd=source, dst_dir_fd=target)


def name_also(path: Path, other: Path, *, root: Path) -> None:
    """Gives a file a second name in the same folder.

    Raises:
        FileExistsError: The name is taken.
        FileNotFoundError: There is no such file.
        ForeignFileError: It is a link or no regular file.
        OSError: The file system, or the system for files of others, has no second names.
    """
    with _opened(path.parent, root) as folder:
        if found := _other_kind(folder, path.name):
            raise ForeignFileError(path, found, root)
        if _status(folder, path.name) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        os.link(path.name, other.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def would_stay(path: Path, *, root: Path, known: Known) -> LeftAlone | None:
    """Says why :func:`remove` would leave a file alone; None where it would not, or nothing is there."""
    try:
        refuse_foreign(path, root=root, known=known)
    except (ForeignFileError, UnreadableFileError) as error:
        return LeftAlone(error.path, error.reason)
    return None


def remove(path: Path, *, root: Path, known: Known) -> LeftAlone | None:
    """Removes a file that this package made.

    Returns:
        Why it stays; None where it is gone.

    Raises:
        OSError: It cannot be removed.
    """
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), _opened(path.parent, root) as folder:
            _refuse(folder, path, root, known)
            os.unlink(path.name, dir_fd=folder)
    except (ForeignFileError, UnreadableFileError) as error:
        return LeftAlone(error.path, error.reason)
    return None


def remove_folder(folder: Path, *, root: Path) -> bool:
    """Removes an empty folder, and tells whether it is gone."""
    with contextlib.suppress(OSError, ForeignFileError):
        with _opened(folder.parent, root) as parent:
            os.rmdir(folder.name, dir_fd=parent)
        return True
    return not os.path.lexists(folder)


def refuse_foreign(path: Path, *, root: Path, known: Known) -> None:
    """Refuses to write where something stands that this package did not make.

    Raises:
        ForeignFileError: A link stands on the way, or something else there.
        UnreadableFileError: What stands there cannot be read now.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), _opened(path.parent, root) as folder:
        _refuse(folder, path, root, known)


def refuse_links(path: Path, *, root: Path, folder: bool = False) -> None:
    """Refuses a path on which a link stands, or at whose end there is anything but a file, or a folder.

    Raises:
        ForeignFileError: The message names it.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), _opened(path.parent, root) as parent:
        found = _other_kind(parent, path.name)
        if folder and _status(parent, path.name) is not None:
            found = "" if found == _A_FOLDER else found or "is no folder"
        if found:
            raise ForeignFileError(path, found, root)


def check_database(path: Path, *, root: Path) -> None:
    """Makes the folder of a database, and sure that it stands there: SQLite opens it by its name.

    SQLite plays back, overwrites and removes what stands beside it under the names of its own files.

    Raises:
        ForeignFileError: It is a link, or a file with other names; so is a file that SQLite puts beside it,
            or that is none of SQLite's.
        UnreadableFileError: A file beside it cannot be read now.
        OSError: Its folder cannot be made.
    """
    make_folder(path.parent, root=root)
    for end in ("", *BESIDE_DATABASE):
        beside = path.with_name(path.name + end)
        with contextlib.suppress(FileNotFoundError):
            file = open_file(beside, os.O_RDONLY, root=root)
            with contextlib.closing(os.fdopen(file)):
                if os.fstat(file).st_nlink > 1:  # under another name it may be somebody else's
                    raise ForeignFileError(beside, "has other names (hard links)", root)
        if end:
            refuse_foreign(beside, root=root, known=is_beside_database)


def is_beside_database(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one that SQLite puts beside a database (https://sqlite.org/fileformat2.html)."""
    marks = next((marks for end, marks in BESIDE_DATABASE.items() if name.name.endswith(end)), ())
    return is_blank(head) or head.startswith(marks)


@contextlib.contextmanager
def _opened(folder: Path, root: Path, *, make: bool = False) -> Iterator[int]:
    """Opens a folder from the root downwards, none of which may be a link."""
    if make:
        with contextlib.suppress(FileExistsError):  # if it is no folder, that is said below
            root.mkdir(parents=True, exist_ok=True)
    here = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        place = root
        for name in folder.relative_to(root).parts:
            place /= name
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=here)
            try:
                below = os.open(name, _FOLDER, dir_fd=here)
            except OSError as error:
                found = _other_kind(here, name)
                if found and found != _A_FOLDER:
                    raise ForeignFileError(place, found, root) from error
                raise
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _sync(folder: int, name: str) -> None:
    handle = os.open(name, os.O_RDONLY | _FILE, dir_fd=folder)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _other_kind(folder: int, name: str) -> str:
    """Says what stands at a name that is no regular file; nothing of a file, or where nothing is."""
    status = _status(folder, name)
    if status is None or stat.S_ISREG(status.st_mode):
        return ""
    if stat.S_ISLNK(status.st_mode):
        return f"is a link to {os.readlink(name, dir_fd=folder)}"
    return _A_FOLDER if stat.S_ISDIR(status.st_mode) else "is no regular file"


def _refuse(folder: int, path: Path, root: Path, known: Known) -> None:
    """Refuses to remove or replace what this package did not make; nothing is refused where nothing is."""
    if found := _other_kind(folder, path.name):
        raise ForeignFileError(path, found, root)
    try:
        with os.fdopen(os.open(path.name, os.O_RDONLY | _FILE, dir_fd=folder), "rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return
    except (OSError, MemoryError) as error:
        raise UnreadableFileError(path, system_refusal(error) or str(error)) from error
    if not known(PurePath(path.name), head):
        raise ForeignFileError(path, "was not made by this package", root)
