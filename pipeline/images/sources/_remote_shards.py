"""Tar shards in a remote store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, UsageError
from pipeline.images.sources._shard_files import Shard
from pipeline.images.sources._shards import cut_root, find_shards
from pipeline.images.sources._stores import connect, patiently, protocol_of, reason, version_of
from pipeline.images.sources._words import on_one_line, printable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_THREADS = 8  # requests at once; they mostly wait


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
