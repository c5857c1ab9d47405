"""Images in files: the source that folders and tables become."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images.formats.kinds import HEAD_BYTES
from pipeline.images.source import ImageItem, ListedSource

MAX_BYTES = 2**30


class FileSource(ListedSource):
    """An image source whose items are files of this machine."""

    def read(self, item: ImageItem) -> bytes:
        """Returns the bytes of an image file.

        Raises:
            OSError: The file is gone, no regular file, larger than 1 GiB, or cannot be read.
        """
        if item.path is None:
            raise OSError("no file of its own")
        refuse_special(os.stat(item.path))
        with open(item.path, "rb", opener=without_waiting) as file:
            refuse_special(os.fstat(file.fileno()))  # it may have been replaced in between
            return file.read()


def refuse_special(status: os.stat_result, *, most: int | None = MAX_BYTES) -> None:
    """Refuses what is no regular file, or larger than ``most`` bytes.

    Raises:
        OSError: It is one of these.
    """
    if not stat.S_ISREG(status.st_mode):  # a device may do anything when it is opened, and a pipe may wait
        raise OSError("not a regular file")
    if most is not None and status.st_size > most:
        raise OSError(f"{status.st_size:,} bytes are more than the limit of {most:,}")


def first_bytes(path: str) -> bytes:
    """Returns the first ``HEAD_BYTES`` of a regular file; none where it cannot be read."""
    try:
        with open(path, "rb", opener=without_waiting) as file:
            refuse_special(os.fstat(file.fileno()), most=None)
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def without_waiting(path: str, flags: int) -> int:
    """Opens a file, as ``os.open`` does, but never waits for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def existing(uri: str) -> Path:
    """Returns the absolute path behind an address, links resolved.

    Raises:
        UsageError: Nothing is there.
    """
    path = Path(os.path.realpath(os.path.expanduser(uri)))
    if not path.exists():
        raise UsageError(f"{uri!r} does not exist: check the path (looked for {path})")
    return path
