"""Stamps: what tells one version of a file from another without reading it, where anything can."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pipeline.images.file_systems import FileSystems

_RACY_NS = 2_000_000_000
_TICK_NS = 20_000_000  # the kernel's clock for files moves a hundred times a second, at least
_SECOND_NS = 1_000_000_000


class Stamps:
    """Makes the stamps of one run; any thread may ask."""

    def __init__(self, file_systems: FileSystems | None = None) -> None:
        self._file_systems = file_systems or FileSystems()

    def of(self, path: str | Path, status: os.stat_result | None = None) -> str | None:
        """Returns a text that is another one after every change of a file, None where that is not certain.

        It is made of size, ``st_mtime``, ``st_ctime``, inode and file system. It is not certain

        * on file systems whose ``st_ctime`` cannot be relied on (``file_systems.TRUSTED``);
        * where ``st_ctime`` has no parts of a second: so have the files of images that are mounted, or lie
          below an overlay or behind a server;
        * within two seconds of the last ``st_mtime`` and a tick of the kernel's clock of the last
          ``st_ctime``: a file may change twice without a trace (``racy-git.adoc`` of git).

        Args:
            path: The file, links are followed.
            status: What ``os.stat`` says of it, where it was asked already.

        Raises:
            OSError: There is no such file.
        """
        now_ns = time.time_ns()
        status = status or os.stat(path)
        if status.st_mtime_ns > now_ns - _RACY_NS or status.st_ctime_ns > now_ns - _TICK_NS:
            return None
        if status.st_ctime_ns % _SECOND_NS == 0:
            return None
        place = self._file_systems.of(path, status.st_dev)
        if not place.trusted:
            return None
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {place.identity}"
