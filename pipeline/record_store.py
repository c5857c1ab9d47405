"""Small records by key in an SQLite file: what can be found again, and so is never worth a failure.

Everything in the file can be computed anew. So whatever is damaged in it is forgotten, record by record where
that can be told and the whole file where not, and one line says so. A file that the system does not let be
used now (no permission, a full disk, another process at work for long) is left as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path, PurePath
from types import TracebackType
from typing import Self, TypeVar

from pipeline.errors import ForeignFileError, UnreadableFileError
from pipeline.files import (
    BESIDE_DATABASE,
    check_database,
    is_beside_database,
    is_blank,
    remove,
    rename,
)
from pipeline.progress import say

VERSION = 2
"""``PRAGMA user_version`` of the files, to be raised with every change of what stands in their tables."""

_SEAL_BYTES = 8
_PARAMETERS = 900  # SQLite's limit on older builds is 999
_NOT_NOW = frozenset(
    (
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    )
)
"""Primary result codes (https://sqlite.org/rescode.html) that say nothing of what the file holds."""

_T = TypeVar("_T")


class _DamagedError(Exception):
    """What stands in the file is not what this package writes."""


class RecordStore:
    """One table of an SQLite file, values by key; made when there is something to keep.

    Each record carries a checksum of its key and value, so that no flipped bit passes. The first failure ends
    the use of a file that is not to be used now. Use as a context manager, in one thread.

    Attributes:
        file: Where it stands; None = nothing is kept (any more).
    """

    def __init__(self, file: Path | None, table: str, *, otherwise: str, root: Path | None = None) -> None:
        """Opens nothing yet.

        Args:
            file: Where it stands; several tables may stand in one file.
            table: Name of the table, letters, digits and ``-``.
            otherwise: What happens without the file, as the end of a sentence.
            root: The folder above it that the user named; None = the one it stands in.
        """
        self.file, self._root = file, root
        self._table, self._person, self._otherwise = table, table.encode()[:16], otherwise
        self._connection: sqlite3.Connection | None = None
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; it is opened again when it is needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def is_there(self) -> bool:
        """Whether anything can be known: there is a file."""
        return self.file is not None and os.path.lexists(self.file)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Returns the values that are known and sound, by key."""
        wanted = list(keys)
        found: dict[bytes, bytes] = {}
        for start in range(0, len(wanted), _PARAMETERS):
            if not self.is_there:
                break
            some = wanted[start : start + _PARAMETERS]
            rows = self._attempt(partial(self._select, keys=some)) or []
            for row in rows:
                if self._is_sound(row):
                    found[row[0]] = row[1]
                else:
                    self._tell("it holds damaged records")
        return found

    def put(self, records: Mapping[bytes, bytes]) -> None:
        """Keeps records, in one transaction."""
        if records and self.file is not None:
            rows = [(key, value, self._seal(key, value)) for key, value in records.items()]
            for _ in range(2):  # once more where a damaged file has made room for a new one
                if self._attempt(lambda connection: self._insert(connection, rows)):
                    break

    def forget(self, keys: Iterable[bytes]) -> None:
        """Removes records, in one transaction."""
        gone = [(key,) for key in keys]
        if gone and self.is_there:
            self._attempt(lambda connection: self._delete(connection, gone))

    def _select(self, connection: sqlite3.Connection, keys: list[bytes]) -> list[tuple]:
        if not self._has_table(connection):
            return []
        marks = ",".join("?" * len(keys))
        query = f'SELECT key, value, seal FROM "{self._table}" WHERE key IN ({marks})'  # noqa: S608 - only marks and a constant are put in
        return connection.execute(query, keys).fetchall()

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[bytes, bytes, bytes]]) -> bool:
        with connection:
            if not self._has_table(connection):
                connection.execute(_schema(self._table.encode()).decode())
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.executemany(f'INSERT OR REPLACE INTO "{self._table}" VALUES (?, ?, ?)', rows)  # noqa: S608 - a constant
        return True

    def _delete(self, connection: sqlite3.Connection, keys: list[tuple[bytes]]) -> bool:
        if self._has_table(connection):
            with connection:
                connection.executemany(f'DELETE FROM "{self._table}" WHERE key = ?', keys)  # noqa: S608 - a constant
        return True

    def _has_table(self, connection: sqlite3.Connection) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE name = ?"
        return bool(connection.execute(query, [self._table]).fetchall())

    def _seal(self, key: bytes, value: bytes) -> bytes:
        whole = b"%d %b%b" % (len(key), key, value)
        return hashlib.blake2b(whole, digest_size=_SEAL_BYTES, person=self._person).digest()

    def _is_sound(self, row: tuple) -> bool:
        key, value, seal = row
        return type(key) is type(value) is bytes and seal == self._seal(key, value)

    def _attempt(self, action: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Runs one action on the file; one that is damaged is removed, one not to be used now is given up."""
        if self.file is None:
            return None
        opened: os.stat_result | None = None
        try:
            if self._connection is None:
                check_database(self.file, root=self._root or self.file.parent)
                opened = _regular(self.file)
                self._connection = _connect(self.file)
            return action(self._connection)
        except (sqlite3.Error, UnicodeDecodeError, _DamagedError) as error:
            self.close()
            if _is_damage(error, self.file):
                self._replace(self.file, str(error), opened)
            else:
                self._give_up(error)
        except (OSError, MemoryError, ForeignFileError, UnreadableFileError) as error:
            self._give_up(error)
        return None

    def _replace(self, file: Path, reason: str, opened: os.stat_result | None) -> None:
        """Makes way for a new file, unless another process has put one there; one of others is set aside."""
        root = self._root or file.parent
        try:
            now = _regular(file)
            if now is not None and (opened is None or os.path.samestat(now, opened)):
                for ending in BESIDE_DATABASE:  # of the old file: SQLite would take them for the new one's
                    beside = file.with_name(file.name + ending)
                    if left := remove(beside, root=root, known=is_beside_database):
                        raise OSError(str(left))
                if remove(file, root=root, known=_is_ours):
                    aside = file.with_name(f"{file.name}-{uuid.uuid4().hex[:8]}.aside")
                    rename(file, aside, root=root)
                    reason = f"{reason}; it is kept as {aside.name}"
            self._tell(reason)
        except (OSError, ForeignFileError) as error:
            self._give_up(error)

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            say(f"note: {self.file} was damaged or of another version ({reason}), so {self._otherwise} once")

    def _give_up(self, error: Exception) -> None:
        self.close()
        reason = str(error) or type(error).__name__
        say(f"note: {self.file} cannot be used now, so {self._otherwise}: {reason}")
        self.file = None


def _regular(file: Path) -> os.stat_result | None:
    """Looks at a file that is not there or is to be used; SQLite would follow a link and write elsewhere.

    Raises:
        OSError: Something else stands there.
    """
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no regular file")
    return status


def _is_ours(name: PurePath, head: bytes) -> bool:
    """Tells by its tables, of this version or of an older one, whether this package made a file."""
    return is_blank(head) or any(words in head for words in (b"seal BLOB", b"digest BLOB"))


def _connect(file: Path) -> sqlite3.Connection:
    """Opens a file that is empty, absent, or of this version."""
    with contextlib.ExitStack() as opened:
        connection = sqlite3.connect(file)
        opened.callback(connection.close)
        connection.text_factory = bytes  # a damaged text may be no UTF-8
        ((version,),) = connection.execute("PRAGMA user_version").fetchall()
        tables = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        if version != VERSION and (version or tables):
            raise _DamagedError(f"version {version}, this is {VERSION}")
        if any(not isinstance(name, bytes) or sql != _schema(name) for name, sql in tables):
            raise _DamagedError("its tables are not those that they should be")
        opened.pop_all()
    return connection


def _schema(table: bytes) -> bytes:
    columns = b"(key BLOB PRIMARY KEY, value BLOB NOT NULL, seal BLOB NOT NULL)"
    return b'CREATE TABLE "%b" %b WITHOUT ROWID' % (table, columns)


def _is_damage(error: Exception, file: Path) -> bool:
    """Tells what stands in a file from what the system says of it now."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None or code & 0xFF not in _NOT_NOW:
        return True
    # A file that claims to be written by a later SQLite is read-only to this one (https://sqlite.org/fileformat.html).
    return code == sqlite3.SQLITE_READONLY and os.access(file, os.W_OK) and _write_version(file) not in (1, 2)


def _write_version(file: Path) -> int:
    try:
        with open(file, "rb") as raw:
            return raw.read(19)[18]
    except (OSError, IndexError):
        return 1
