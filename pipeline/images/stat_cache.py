"""The stat cache: digests of files that have not changed since they were read, and their deep pixels."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from pipeline.images.file_systems import FileSystems
from pipeline.images.pixel_range import Extremes
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.record_store import RecordStore

_RACY_NS = 2_000_000_000
_TICK_NS = 20_000_000  # the kernel's clock for files moves a hundred times a second, at least
_SECOND_NS = 1_000_000_000

UNSETTLED = "unsettled"
"""How the version of an object begins that may change without a trace: its digest is not stored."""

TABLE = "digests"


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


class Known(NamedTuple):
    """What is known of an image.

    Attributes:
        name: Its absolute path, or its address in a remote store or a shard.
        version: What tells its content from a later one: a stamp, or what the store says; None = nothing.
        digest: SHA-256, 32 bytes; empty where it is looked for.
        extremes: What its pixels reach to; None where they have 8 bits, cannot be decoded, or are looked for.
    """

    name: str
    version: str | None
    digest: bytes = b""
    extremes: Extremes | None = None

    @property
    def is_settled(self) -> bool:
        """Whether a later change is bound to show."""
        return self.version is not None and not self.version.startswith(UNSETTLED)

    @property
    def key(self) -> bytes:
        """Its name as bytes; names of files need not be valid UTF-8."""
        return os.fsencode(self.name)


class StatCache:
    """Digests and extremes by name and version in one SQLite file; see ``RecordStore``."""

    def __init__(self, file: Path | None) -> None:
        self._store = RecordStore(file, TABLE, otherwise="files are read again")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()

    @property
    def is_there(self) -> bool:
        """Whether anything can be known: there is a file."""
        return self._store.is_there

    def look_up(self, images: Sequence[Known]) -> list[bytes | None]:
        """Returns the digest of each image that is known in this version, else None; no file is touched."""
        return [known.digest if known else None for known in self.recall(images)]

    def recall(self, images: Sequence[Known]) -> list[Known | None]:
        """Returns all that is known of each image in this version, else None; no file is touched."""
        stored = self._store.get(image.key for image in images if image.is_settled)
        return [_known(image, stored.get(image.key)) for image in images]

    def store(self, images: Iterable[Known]) -> None:
        """Stores images in one transaction, without those that may change without a trace."""
        self._store.put({image.key: _record(image) for image in images if image.is_settled})

    def forget(self, images: Iterable[Known]) -> None:
        """Removes what is known of images."""
        self._store.forget(image.key for image in images)


def _record(image: Known) -> bytes:
    extremes = json.dumps(image.extremes or []).encode()
    return image.digest + bytes([len(extremes)]) + extremes + _encoded(image.version)


def _known(image: Known, record: bytes | None) -> Known | None:
    if record is None or len(record) <= DIGEST_BYTES:
        return None
    at = DIGEST_BYTES + 1
    end = at + record[DIGEST_BYTES]
    if record[end:] != _encoded(image.version):
        return None
    extremes = json.loads(record[at:end])
    return image._replace(digest=record[:DIGEST_BYTES], extremes=Extremes(*extremes) if extremes else None)


def _encoded(version: str | None) -> bytes:
    return (version or "").encode("utf-8", "surrogateescape")
