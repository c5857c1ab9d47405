"""The stat cache: digests of files that have not changed since they were read, and their deep pixels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from pipeline.images.pixel_range import Extremes
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
