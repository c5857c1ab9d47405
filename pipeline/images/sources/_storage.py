"""Where images are kept: what any place must offer, and the files of this machine."""

from __future__ import annotations

import errno
import glob
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

from pipeline.errors import UsageError, reason_of
from pipeline.images.formats.encoded import looks_like_image
from pipeline.images.sources import _left_out as left_out
from pipeline.images.sources._files import first_bytes, refuse_special, without_waiting
from pipeline.images.sources._folder_names import is_own_folder
from pipeline.images.sources._words import on_one_line, printable
from pipeline.images.stat_cache import Stamps

FOLDER, FILE = "folder", "file"

_HELD = 16  # files kept open: to open one anew for every image is slow on a network file system


class FolderItem(NamedTuple):
    """What stands in a folder.

    Attributes:
        name: Its name there.
        kind: Tells what it is: ``FOLDER``, ``FILE``, or why it cannot be taken for either.
        version: What a store says to tell its content from a later one; None where it says nothing.
    """

    name: str
    kind: Callable[[], str]
    version: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was when it was listed.

    Attributes:
        name: Path relative to the root, valid text.
        path: Where the storage finds it.
        size: Bytes.
        version: What tells its content from a later one; None where that cannot be relied on.
        mtime_ns: Time of its last change on this machine; 0 where it is remote.
    """

    name: str
    path: str
    size: int
    version: str | None
    mtime_ns: int = 0


class Storage(Protocol):
    """Files below a root; names are relative to it, those of folders are ``""`` or end in ``/``.

    Attributes:
        root: The folder, as the storage finds it.
        is_remote: Whether each call is a request, so that several at once are worth it.
        window: Bytes of the smallest and largest piece of a file that are worth reading at once.
    """

    root: str
    is_remote: bool
    window: tuple[int, int]

    @property
    def address(self) -> str:
        """The root, for people."""
        ...

    def entries(self, folder: str) -> Iterable[FolderItem]:
        """Lists a folder, in any order."""
        ...

    def images_among(self, folder: str, names: Sequence[str]) -> set[str]:
        """Tells which files of a folder are images, where their names say nothing."""
        ...

    def identity(self, folder: str) -> str:
        """Returns a text that is the same for two paths to the same folder."""
        ...

    def look(self, name: str) -> StoredFile | None:
        """Returns a file, None where there is none."""
        ...

    def glob(self, pattern: str) -> dict[str, StoredFile]:
        """Returns the files whose names match, by name."""
        ...

    def read(self, file: StoredFile, offset: int, size: int) -> bytes:
        """Returns bytes of a file, fewer at its end; any thread may call it."""
        ...


@dataclass
class LocalStorage:
    """Files on this machine; see :class:`Storage`.

    Attributes:
        root: Absolute path without links.
        follow_links: Whether links may lead out of the root.
    """

    root: str
    follow_links: bool = False
    is_remote: bool = field(default=False, init=False)
    window: tuple[int, int] = field(default=(4096, 4096), init=False)  # the system reads ahead
    _files: OrderedDict[str, _File] = field(default_factory=OrderedDict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _stamps: Stamps = field(default_factory=Stamps, init=False, repr=False)

    def __reduce__(self) -> tuple[type[LocalStorage], tuple[str, bool]]:
        """Leaves out what no other process can use: open files."""
        return LocalStorage, (self.root, self.follow_links)

    @property
    def address(self) -> str:
        """The root."""
        return self.root

    def entries(self, folder: str) -> Iterator[FolderItem]:
        """Lists a folder, in any order.

        Raises:
            OSError: It cannot be listed.
        """
        with os.scandir(os.path.join(self.root, folder)) as found:
            for entry in found:
                yield FolderItem(entry.name, partial(self._kind, folder, entry))

    def images_among(self, folder: str, names: Sequence[str]) -> set[str]:
        """Tells by the first bytes of each which files of a folder are images."""
        where = os.path.join(self.root, folder)
        return {name for name in names if looks_like_image(first_bytes(os.path.join(where, name)))}

    def identity(self, folder: str) -> str:
        """Returns the path of a folder without links."""
        return os.path.realpath(os.path.join(self.root, folder))

    def look(self, name: str) -> StoredFile | None:
        """Returns a file, None where there is none.

        Raises:
            UsageError: It is no regular file, or cannot be looked at.
        """
        path = os.path.join(self.root, name)
        if not os.path.exists(path):
            return None
        try:
            status = os.stat(path)
            refuse_special(status, most=None)
            version = self._stamps.of(path, status)
        except OSError as error:
            raise UsageError(f"cannot read {on_one_line(path)}: {reason_of(error)}") from error
        return StoredFile(printable(name), path, status.st_size, version, status.st_mtime_ns)

    def glob(self, pattern: str) -> dict[str, StoredFile]:
        """Returns the files whose names match, by name.

        Raises:
            UsageError: One is no regular file, or cannot be looked at.
        """
        names = glob.glob(pattern, root_dir=self.root, recursive=True)
        return {name: file for name in names if (file := self.look(name))}

    def read(self, file: StoredFile, offset: int, size: int) -> bytes:
        """Returns bytes of a file, fewer at its end; any thread may call it.

        Raises:
            OSError: It is gone, it has changed since it was listed, or it cannot be read.
        """
        opened = self._opened(file.path)
        status = os.fstat(opened.number)
        if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
            with self._lock:
                self._files.pop(file.path, None)
            raise OSError(f"{file.name} has changed since it was listed: run the same command again")
        return os.pread(opened.number, size, offset)

    def _opened(self, path: str) -> _File:
        with self._lock:
            file = self._files.pop(path, None) or _File(path)
            self._files[path] = file
            if len(self._files) > _HELD:
                self._files.popitem(last=False)  # closed when no thread reads it any more
            return file

    def _kind(self, folder: str, entry: os.DirEntry[str]) -> str:
        if entry.is_symlink() and (trouble := self._link_trouble(folder, entry.path)):
            return trouble
        if entry.is_dir():
            return left_out.OWN_FOLDERS if not folder and is_own_folder(entry.path) else FOLDER
        return FILE if entry.is_file() else left_out.NO_IMAGES

    def _link_trouble(self, folder: str, link: str) -> str:
        """Says why a link is not followed; empty where it is."""
        try:
            os.stat(link)
            target, here = os.path.realpath(link), self.identity(folder)
        except OSError as error:
            if error.errno == errno.ELOOP:  # a ring of links has no target at all
                return left_out.LINKS_BACK
            missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
            return left_out.LINKS_NOWHERE if missing else left_out.LINKS_LOCKED
        if _within(here, target) or _within(self.root, target):
            return left_out.LINKS_BACK
        return "" if self.follow_links or _within(target, self.root) else left_out.LINKS_OUT


class _File:
    """An open file that closes itself when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        self.number = -1
        self.number = without_waiting(path, os.O_RDONLY | os.O_CLOEXEC)
        refuse_special(os.fstat(self.number), most=None)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
