"""Where tar shards are kept, on this machine or in a remote store: finding and reading them."""

from __future__ import annotations

import glob
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import PipelineError, UsageError
from pipeline.images.sources._files import refuse_special, without_waiting
from pipeline.images.sources._shards import cut_root, find_shards
from pipeline.images.sources._stores import connect, patiently, protocol_of, reason, version_of
from pipeline.images.sources._words import on_one_line, printable
from pipeline.images.stat_cache import Stamp

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_THREADS = 8  # requests at once; they mostly wait
_HELD = 16  # shards kept open: to open one anew for every image is slow on a network file system


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


@dataclass
class LocalShards:
    """Shards on this machine; see :class:`ShardFiles`."""

    address: str
    root: str
    rest: str
    window: tuple[int, int] = (4096, 4096)  # the system reads ahead
    _files: OrderedDict[str, _File] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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
        now_ns = time.time_ns()
        try:
            refuse_special(os.stat(path), most=None)
            stamp = Stamp.of(path)
        except OSError as error:
            raise UsageError(f"cannot read {on_one_line(path)}: {error.strerror or error}") from error
        version = " ".join(map(str, stamp)) if stamp.settled(now_ns) else None
        return Shard(printable(name), path, stamp.size, version, stamp.mtime_ns)

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

    def __getstate__(self) -> dict[str, object]:
        """Leaves out what no other process can use: open files."""
        return {"address": self.address, "root": self.root, "rest": self.rest}

    def __setstate__(self, state: dict[str, str]) -> None:
        """Starts without open files."""
        self.__init__(**state)


class _File:
    """An open file that closes itself when nobody holds it any more."""

    def __init__(self, path: str) -> None:
        self.number = -1
        self.number = without_waiting(path, os.O_RDONLY | os.O_CLOEXEC)
        refuse_special(os.fstat(self.number), most=None)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


@dataclass
class RemoteShards:
    """Shards in a remote store; see :class:`ShardFiles`."""

    address: str
    root: str
    rest: str
    files: AbstractFileSystem = field(repr=False)
    window: tuple[int, int] = (2**16, 2**23)

    @classmethod
    def at(cls, uri: str) -> RemoteShards:
        """Connects to the store of an address.

        Raises:
            UsageError: The address is malformed, or a package is missing.
            PipelineError: The store cannot be opened.
        """
        files, path = connect(uri)
        root, rest = cut_root(path, lambda folder: False)
        return cls(files.unstrip_protocol(path), root, rest, files)

    @property
    def _is_web(self) -> bool:
        return protocol_of(self.address) in ("http", "https")

    def find(self) -> list[Shard]:
        """Returns the shards in natural order of their names.

        Raises:
            UsageError: There are none, one of them is missing, or a web address holds a glob.
            PipelineError: The store does not answer.
        """
        seen: dict[str, Shard] = {}
        shown = on_one_line(self.address)

        def present(names: list[str]) -> set[str]:
            with ThreadPoolExecutor(_THREADS) as pool:
                shards = pool.map(self.look, names)
                found = {name: shard for name, shard in zip(names, shards, strict=True) if shard}
            seen.update(found)
            return set(found)

        def matching(name: str) -> list[str]:
            if self._is_web:
                raise UsageError(
                    f"{shown}: web servers list no files; name shards as in photos-{{00..09}}.tar"
                )
            now_s = time.time()
            found = patiently(lambda: self.files.glob(self._path(name), detail=True))
            names = {path.removeprefix(f"{self.root}/"): details for path, details in found.items()}
            shards = {name: self._shard(name, details, now_s) for name, details in names.items()}
            seen.update({name: shard for name, shard in shards.items() if shard})
            return [name for name in names if name in seen]

        try:
            names = find_shards(self.rest, shown=shown, present=present, glob=matching)
        except OSError as error:
            raise PipelineError(f"cannot list {shown}: {reason(error)}; check the address") from error
        return [seen[name] for name in names]

    def look(self, name: str) -> Shard | None:
        """Returns a file below the root, None if there is none.

        Raises:
            UsageError: It must not be read.
            PipelineError: The store does not answer.
        """
        now_s, path = time.time(), self._path(name)
        shown = on_one_line(self.files.unstrip_protocol(path))
        try:
            return self._shard(name, patiently(lambda: self.files.info(path)), now_s)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise UsageError(
                f"{shown} must not be read ({reason(error)}): check the credentials in the environment"
            ) from error
        except OSError as error:
            raise PipelineError(f"cannot find {shown}: {reason(error)}; check the address") from error

    def _shard(self, name: str, details: dict[str, object], now_s: float) -> Shard | None:
        if details.get("type") == "directory":
            return None
        size = details.get("size")
        if not isinstance(size, int):
            raise PipelineError(f"the store does not tell the size of {name}: copy the shards here")
        return Shard(printable(name), self._path(name), size, version_of(details, now_s=now_s))

    def read(self, shard: Shard, offset: int, size: int) -> bytes:
        """Returns bytes of a shard, fewer at its end, with retries; any thread may call it.

        Raises:
            OSError: It is gone, or the store does not answer, or not with what was asked for.
        """
        wanted = max(min(size, shard.size - offset), 0)
        data = patiently(lambda: self._range(shard, offset, wanted)) if wanted else b""
        if len(data) != wanted:
            raise OSError(
                f"the store sent {len(data):,} bytes of {shard.name} where {wanted:,} were asked for"
            )
        return data

    def _range(self, shard: Shard, offset: int, size: int) -> bytes:
        if not self._is_web:
            return self.files.cat_file(shard.path, start=offset, end=offset + size)
        # A server may not know ranges and send the whole file: the file object notices, cat_file does not.
        with self.files.open(shard.path, size=shard.size, block_size=size, cache_type="none") as file:
            file.seek(offset)
            return file.read(size)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}" if self.root else name
