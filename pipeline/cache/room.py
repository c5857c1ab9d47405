"""Disk space reserved before the first image: a full disk is found then, and not after hours."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

PIECE = 1 << 20
UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}
"""What ``posix_fallocate`` fails with where the file system cannot reserve space (man posix_fallocate)."""


def probe(fd: int, size: int) -> None:
    """Finds out whether a new file may have so many bytes, without writing any, and leaves it empty.

    Where the file system cannot reserve space, nothing is found out.

    Raises:
        OSError: The space does not suffice.
    """
    try:
        with suppress(AttributeError):
            os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    os.ftruncate(fd, 0)


def reserve(fd: int) -> None:
    """Takes the disk space of a whole file, holes included; what is in the file stays as it is.

    Where the file system cannot reserve space, every byte is written once more, which comes to the same.

    Raises:
        OSError: The space does not suffice.
    """
    size = os.fstat(fd).st_size
    try:
        os.posix_fallocate(fd, 0, size)
    except (AttributeError, OSError) as error:  # macOS has no such call
        if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
            raise
        for offset in range(0, size, PIECE):
            _write(fd, os.pread(fd, PIECE, offset), offset)


def _write(fd: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(fd, data, offset)
        data, offset = data[written:], offset + written
