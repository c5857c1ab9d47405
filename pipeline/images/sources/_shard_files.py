"""Tar shards as files: what a place that keeps them must offer, and those on this machine."""

from __future__ import annotations

import glob
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.errors import UsageError, reason_of
from pipeline.images.sources._files import refuse_special, without_waiting
from pipeline.images.sources._shards import cut_root, find_shards
from pipeline.images.sources._words import on_one_line, printable
from pipeline.images.stat_cache import Stamps


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


_HELD = 16  # shards kept open: to open one anew for every image is slow on a network file system


@dataclass
class LocalShards:
    """Shards on this machine; see :class:`ShardFiles`."""

    address: str
    root: str
    rest: str
    window: tuple[int, int] = (4096, 4096)  # the system reads ahead
    _files: OrderedDict[str, _File] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _stamps: Stamps = field(default_factory=Stamps, repr=False)

    @classmethod
    def at(cls, uri: str) -> LocalShards:
        """Finds the folder of an address."""
        root, rest = cut_root(os.path.abspath(os.path.expanduser(uri)), os.path.isdir)
        root = os.path.realpath(root or "/")
        return cls(os.path.join(root, rest), root, rest)

    def find(self) -> list[Shard]:
        """Returns the shards in natural order of their names.

        Raises:
            UsageError: There are none, or one of them is missing or no regular file.
        """
        names = find_shards(
            self.rest,
            shown=on_one_line(self.address),
            present=lambda names: {n for n in names if os.path.exists(os.path.join(self.root, n))},
            glob=lambda name: glob.glob(name, root_dir=self.root, recursive=True),
        )
        return [self._shard(name) for name in names]

    def look(self, name: str) -> Shard | None:
        """Returns a file below the root, None if there is none."""
        return self._shard(name) if os.path.exists(os.path.join(self.root, name)) else None

    def _shard(self, name: str) -> Shard:
        path = os.path.join(self.root, name)
        try:
            status = os.stat(path)
            refuse_special(status, most=None)
            version = self._stamps.of(path, status)
        except OSError as error:
            raise UsageError(f"cannot read {on_one_line(path)}: {reason_of(error)}") from error
        return Shard(printable(name), path, status.st_size, version, status.st_mtime_ns)

    def read(self, shard: Shard, offset: int, size: int) -> bytes:
        """Returns bytes of a shard, fewer at its end; any thread may call it.

        Raises:
            OSError: It is gone, it has changed since it was listed, or it cannot be read.
        """
        file = self._open(shard.path)
        status = os.fstat(file.number)
        if (status.st_size, status.st_mtime_ns) != (shard.size, shard.mtime_ns):
            with self._lock:
                self._files.pop(shard.path, None)
            raise OSError(f"{shard.name} has changed since it was listed: run the same command again")
        return os.pread(file.number, size, offset)

    def _open(self, path: str) -> _File:
        with self._lock:
            file = self._files.pop(path, None) or _File(path)
            self._files[path] = file
            if len(self._files) > _HELD:
                self._files.popitem(last=False)  # closed when no thread reads it any more
            return file

    def __reduce__(self) -> tuple[type[LocalShards], tuple[str, str, str]]:
        """Leaves out what no other process can use: open files."""
        return LocalShards, (self.address, self.root, self.rest)


class _File:
    """An open file that closes itself when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        self.number = -1
        self.number = without_waiting(path, os.O_RDONLY | os.O_CLOEXEC)
        refuse_special(os.fstat(self.number), most=None)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)
