"""The stat cache: digests of files that have not changed since they were last read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from pipeline.images.rows import DIGEST_BYTES
from pipeline.record_store import RecordStore

UNSETTLED = "unsettled"
"""How the version of an object begins that may change without a trace: its digest is not stored."""

TABLE = "digests"


class Known(NamedTuple):
    """What is known of an image.

    Attributes:
        name: Its absolute path, or its address in a remote store or a shard.
        version: What tells its content from a later one: a stamp, or what the store says; None = nothing.
        digest: SHA-256, 32 bytes; empty where it is looked for.
    """

    name: str
    version: str | None
    digest: bytes = b""

    @property
    def is_settled(self) -> bool:
        """Whether a later change is bound to show."""
        return self.version is not None and not self.version.startswith(UNSETTLED)

    @property
    def key(self) -> bytes:
        """Its name as bytes; names of files need not be valid UTF-8."""
        return os.fsencode(self.name)


class StatCache:
    """Digests by name and version in one SQLite file; see ``RecordStore``."""

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
        stored = self._store.get(image.key for image in images if image.is_settled)
        return [_digest(image, stored.get(image.key)) for image in images]

    def store(self, images: Iterable[Known]) -> None:
        """Stores digests in one transaction, without those of images that may change without a trace."""
        self._store.put(
            {
                image.key: image.digest + image.version.encode("utf-8", "surrogateescape")
                for image in images
                if image.version is not None and image.is_settled
            }
        )

    def forget(self, images: Iterable[Known]) -> None:
        """Removes what is known of images."""
        self._store.forget(image.key for image in images)


def _digest(image: Known, value: bytes | None) -> bytes | None:
    if value is None or image.version is None:
        return None
    digest, version = value[:DIGEST_BYTES], value[DIGEST_BYTES:]
    same = len(digest) == DIGEST_BYTES and version == image.version.encode("utf-8", "surrogateescape")
    return digest if same else None
