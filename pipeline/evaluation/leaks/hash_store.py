"""Hashes of pictures by the SHA-256 of the image, so that a picture is decoded for them only once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.evaluation.leaks.hashing import HASH_BYTES, SCHEME
from pipeline.progress import say

FILE_NAME = ".picture-hashes.sqlite"
_PARAMETERS = 900  # SQLite's limit on older builds is 999
_TABLE = f'"{SCHEME}"'


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) in (0, HASH_BYTES)


class HashStore:
    """One SQLite file, made when there is something to store, and never worth a failure.

    Attributes:
        file: Where it stands; None = nothing is kept.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file

    def look_up(self, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Returns the hashes that are known, by digest."""
        wanted = list(digests)
        found: dict[bytes, bytes] = {}
        if self.file is None or not self.file.exists():
            return found
        try:
            with contextlib.closing(self._connect()) as connection:
                for start in range(0, len(wanted), _PARAMETERS):
                    some = wanted[start : start + _PARAMETERS]
                    marks = ",".join("?" * len(some))
                    query = f"SELECT digest, hash FROM {_TABLE} WHERE digest IN ({marks})"  # noqa: S608 - marks only
                    rows = connection.execute(query, some)
                    found.update((key, value) for key, value in rows if _is_hash(value))
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def store(self, hashes: Mapping[bytes, bytes]) -> None:
        """Keeps hashes, in one transaction."""
        if self.file is None or not hashes:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(self._connect()) as connection, connection:
                connection.executemany(f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?)", hashes.items())  # noqa: S608 - a constant
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file)
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {_TABLE} (digest BLOB PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID"
        )
        return connection

    def _give_up(self, error: Exception) -> None:
        say(f"note: {self.file} cannot be used, so pictures are hashed again next time: {error}")
        self.file = None
