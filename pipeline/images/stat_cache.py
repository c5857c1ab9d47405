"""The stat cache: digests of files that have not changed since they were last read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from pipeline.progress import say

UNSETTLED = "unsettled"
"""How the version of an object begins that may change without a trace: its digest is not stored."""

_RACY_NS = 2_000_000_000
_PARAMETERS = 900  # SQLite's limit on older builds is 999
_TABLE = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, digest BLOB
) WITHOUT ROWID
"""
_OBJECTS = (
    "CREATE TABLE IF NOT EXISTS objects (uri TEXT PRIMARY KEY, version TEXT, digest BLOB) WITHOUT ROWID"
)
_T = TypeVar("_T")


class Stamp(NamedTuple):
    """What tells one version of a file from another without reading it.

    Attributes:
        size: Bytes.
        mtime_ns: Time of the last change of the content, nanoseconds since 1970.
        ctime_ns: Time of the last change of content or name, which no tool can set back; it tells apart two
            files of equal size and equal ``mtime`` that have changed places.
    """

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str | Path) -> Stamp:
        """Asks the file system.

        Raises:
            OSError: There is no such file.
        """
        status = os.stat(path)
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def settled(self, now_ns: int) -> bool:
        """Tells whether a later change is bound to show: a file may change twice within one clock tick.

        The rule is that of git's index (``Documentation/technical/racy-git.adoc``).
        """
        return self.mtime_ns <= now_ns - _RACY_NS


class Known(NamedTuple):
    """A file's absolute path with its stamp and SHA-256 (32 bytes)."""

    path: Path
    stamp: Stamp
    digest: bytes


class Remote(NamedTuple):
    """A remote object's address with what its store says of its version, and its SHA-256 (32 bytes)."""

    uri: str
    version: str
    digest: bytes = b""


class StatCache:
    """Digests by path and stamp in one SQLite file, a convenience that is never worth a failure.

    The file is created when there is something to store. Where it cannot be opened, read or written, one
    line says so and work goes on without it. Use as a context manager, in one thread.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def is_there(self) -> bool:
        """Whether anything can be known: there is a file."""
        return self._file is not None and self._file.exists()

    def look_up(self, paths: Sequence[str | Path]) -> list[bytes | None]:
        """Returns the digest of each file that stands unchanged in the cache, else None; one stat a file."""
        stored: dict[bytes, tuple[int, int, int, bytes]] = {}
        if self.is_there:
            names = [os.fsencode(path) for path in paths]
            for start in range(0, len(names), _PARAMETERS):
                stored |= self._attempt(_select, names[start : start + _PARAMETERS]) or {}
        return [_unchanged(path, stored.get(os.fsencode(path))) for path in paths]

    def look_up_remote(self, objects: Sequence[Remote]) -> list[bytes | None]:
        """Returns the digest of each object whose version stands in the cache, else None; no request."""
        stored: dict[tuple[str, str], bytes] = {}
        if objects and self.is_there:
            uris = [known.uri for known in objects]
            for start in range(0, len(uris), _PARAMETERS):
                stored |= self._attempt(_select_objects, uris[start : start + _PARAMETERS]) or {}
        return [stored.get(known[:2]) for known in objects]

    def store_remote(self, objects: Iterable[Remote]) -> None:
        """Stores digests of remote objects in one transaction, without those that are not settled."""
        rows = [tuple(known) for known in objects if not known.version.startswith(UNSETTLED)]
        if rows and self._file is not None:
            self._attempt(_insert_objects, rows)

    def store(self, entries: Iterable[Known]) -> None:
        """Stores digests in one transaction."""
        rows = [(os.fsencode(path), *stamp, digest) for path, stamp, digest in entries]
        if rows and self._file is not None:
            self._attempt(_insert, rows)

    def _attempt(self, action: Callable[[sqlite3.Connection, list], _T], argument: list) -> _T | None:
        """Runs one action on the database; the first failure ends its use."""
        if self._file is None:
            return None
        try:
            if self._connection is None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(self._file)
                self._connection.execute(_TABLE)
            return action(self._connection, argument)
        except (sqlite3.Error, OSError) as error:
            say(f"note: {self._file} cannot be used, so files are read again next time: {error}")
            self._file = None
            return None


def _select(connection: sqlite3.Connection, names: list[bytes]) -> dict[bytes, tuple]:
    marks = ",".join("?" * len(names))
    query = f"SELECT path, size, mtime_ns, ctime_ns, digest FROM files WHERE path IN ({marks})"  # noqa: S608 - only question marks are put in
    return {path: rest for path, *rest in connection.execute(query, names)}


def _insert(connection: sqlite3.Connection, rows: list[tuple]) -> None:
    with connection:
        connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)


def _select_objects(connection: sqlite3.Connection, uris: list[str]) -> dict[tuple[str, str], bytes]:
    connection.execute(_OBJECTS)  # only here: a read-only cache of local files need not have this table
    marks = ",".join("?" * len(uris))
    query = f"SELECT uri, version, digest FROM objects WHERE uri IN ({marks})"  # noqa: S608 - only question marks are put in
    return {(uri, version): digest for uri, version, digest in connection.execute(query, uris)}


def _insert_objects(connection: sqlite3.Connection, rows: list[tuple]) -> None:
    with connection:
        connection.execute(_OBJECTS)
        connection.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", rows)


def _unchanged(path: str | Path, stored: Sequence | None) -> bytes | None:
    if stored is None:
        return None
    try:
        return stored[3] if Stamp.of(path) == tuple(stored[:3]) else None
    except OSError:
        return None
