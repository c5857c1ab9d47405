"""Hashes of pictures by the SHA-256 of the image, so that a picture is decoded for them only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.evaluation.leaks.hashing import HASH_BYTES, SCHEME
from pipeline.files import root_of
from pipeline.record_store import RecordStore

FILE_NAME = ".picture-hashes.sqlite"


class HashStore:
    """Hashes in one SQLite file, see ``RecordStore``; made when there is something to store."""

    def __init__(self, file: Path | None) -> None:
        root = file and root_of(file, 1)  # <cache>/<dataset>/.picture-hashes.sqlite
        self._store = RecordStore(file, SCHEME, root=root, otherwise="pictures are hashed again")

    def look_up(self, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Returns the hashes that are known, by digest."""
        with self._store:
            found = self._store.get(digests)
        return {digest: value for digest, value in found.items() if len(value) in (0, HASH_BYTES)}

    def store(self, hashes: Mapping[bytes, bytes]) -> None:
        """Keeps hashes, in one transaction."""
        with self._store:
            self._store.put(hashes)
