"""Tar shards as files: what is known of each, and what a place that keeps them must offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar file as it was when it was listed.

    Attributes:
        name: Path relative to the root, valid text.
        path: Where the store finds it.
        size: Bytes.
        version: What tells its content from a later one; None where that cannot be relied on.
        mtime_ns: Time of its last change on this machine; 0 where it is remote.
    """

    name: str
    path: str
    size: int
    version: str | None
    mtime_ns: int = 0


class ShardFiles(Protocol):
    """A place with tar shards.

    Attributes:
        address: The canonical address of all of them.
        root: The folder that names are relative to.
        rest: What of the address follows the root.
        window: Bytes of the smallest and largest piece that are worth reading at once.
    """

    address: str
    root: str
    rest: str
    window: tuple[int, int]

    def find(self) -> list[Shard]:
        """Returns the shards in natural order of their names."""
        ...

    def look(self, name: str) -> Shard | None:
        """Returns a file below the root, None if there is none."""
        ...

    def read(self, shard: Shard, offset: int, size: int) -> bytes:
        """Returns bytes of a shard, fewer at its end; any thread may call it."""
        ...
