"""The files of a remote store, through fsspec."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, UsageError
from pipeline.images.formats.encoded import looks_like_image
from pipeline.images.formats.kinds import HEAD_BYTES
from pipeline.images.sources._files import MAX_BYTES
from pipeline.images.sources._folder_names import LAYOUT
from pipeline.images.sources._storage import FILE, FOLDER, FolderItem, StoredFile
from pipeline.images.sources._stores import patiently, reason, version_of
from pipeline.images.sources._words import on_one_line, printable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CHUNK = 2**20
_LOOKS = 3  # files of a suffix that says nothing, whose first bytes are looked at
_DEEPEST = 64  # folders in folders; a web server may invent them without end


@dataclass
class RemoteStorage:
    """Files in a remote store; see :class:`Storage`.

    Attributes:
        store: The store.
        root: The folder in it.
    """

    store: AbstractFileSystem = field(repr=False)
    root: str
    is_remote: bool = field(default=True, init=False)
    window: tuple[int, int] = field(default=(2**16, 2**23), init=False)

    @property
    def address(self) -> str:
        """The root, with its protocol."""
        return self.store.unstrip_protocol(self.root)

    def entries(self, folder: str) -> Iterable[FolderItem]:
        """Lists a folder by one request; names that do not stand directly in it are passed over.

        Raises:
            UsageError: There is no such folder, it must not be listed, or folders are nested without end.
            PipelineError: The store does not answer.
        """
        if folder.count("/") > _DEEPEST:
            raise UsageError(
                f"{self.address} has more than {_DEEPEST} folders in one another: give another folder"
            )
        where = self._path(folder)
        now_s = time.time()
        found: dict[tuple[str, str], FolderItem] = {}
        for details in self._listed(where):
            # HTML pages link to anywhere: what does not stand below is none of this folder's.
            inside, _, name = str(details["name"]).rstrip("/").rpartition("/")
            if inside != where or not name.strip(".") or name.startswith(("?", "#")) or not _is_text(name):
                continue
            kind = FOLDER if details.get("type") == "directory" else FILE
            found[name, kind] = FolderItem(name, partial(str, kind), version_of(details, now_s=now_s))
        return found.values()

    def images_among(self, folder: str, names: Sequence[str]) -> set[str]:
        """Tells by the first bytes of a few which files of a folder are images.

        Each look is a request, so that a few files of each suffix are looked at; where one is an image, all
        are taken for images, and those that are none are listed as such when they are decoded.
        """
        by_suffix: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            by_suffix[os.path.splitext(name)[1].lower()].append(name)
        return {
            name
            for same in by_suffix.values()
            if any(looks_like_image(self._first_bytes(folder + one)) for one in same[:_LOOKS])
            for name in same
        }

    def identity(self, folder: str) -> str:
        """Returns the folder: stores have no links."""
        return folder

    def look(self, name: str) -> StoredFile | None:
        """Returns a file, None where there is none.

        Raises:
            UsageError: It must not be read.
            PipelineError: The store does not answer, or does not tell its size.
        """
        now_s, path = time.time(), self._path(name)
        shown = on_one_line(self.store.unstrip_protocol(path))
        try:
            return self._file(name, patiently(lambda: self.store.info(path)), now_s)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise _unauthorized(shown, error) from error
        except OSError as error:
            raise PipelineError(f"cannot find {shown}: {reason(error)}; check the address") from error

    def glob(self, pattern: str) -> dict[str, StoredFile]:
        """Returns the files whose names match, by name.

        Raises:
            UsageError: It is a web server, which lists none.
            PipelineError: The store does not answer, or does not tell their sizes.
        """
        now_s, path = time.time(), self._path(pattern)
        shown = on_one_line(self.store.unstrip_protocol(path))
        if self._is_web:
            raise UsageError(f"{shown}: web servers list no files; name shards as in photos-{{00..09}}.tar")
        try:
            found = patiently(lambda: self.store.glob(path, detail=True))
        except OSError as error:
            raise PipelineError(f"cannot list {shown}: {reason(error)}; check the address") from error
        names = {path.removeprefix(f"{self.root}/"): details for path, details in found.items()}
        files = {name: self._file(name, details, now_s) for name, details in names.items()}
        return {name: file for name, file in files.items() if file}

    def read(self, file: StoredFile, offset: int, size: int) -> bytes:
        """Returns bytes of a file, fewer at its end, with retries; any thread may call it.

        Raises:
            OSError: It is gone, or the store does not answer, or not with what was asked for.
        """
        wanted = max(min(size, file.size - offset), 0)
        data = patiently(lambda: self._range(file, offset, wanted)) if wanted else b""
        if len(data) != wanted:
            raise OSError(
                f"the store sent {len(data):,} bytes of {file.name} where {wanted:,} were asked for"
            )
        return data

    def download(self, name: str) -> bytes:
        """Returns a whole file, with retries; any thread may call it.

        Raises:
            OSError: It is gone, larger than 1 GiB, or the store does not answer.
        """
        return patiently(lambda: self._download(self._path(name)))

    def _download(self, path: str) -> bytes:
        data = bytearray()
        # Sequential blocks without read-ahead: a hostile server cannot make this process hold more than that.
        with self.store.open(path, "rb") as file:
            while len(data) <= MAX_BYTES and (chunk := file.read(_CHUNK)):
                data += chunk
        if len(data) > MAX_BYTES:
            raise PermissionError(f"more than the limit of {MAX_BYTES:,} bytes")
        return bytes(data)

    def _range(self, file: StoredFile, offset: int, size: int) -> bytes:
        if not self._is_web:
            return self.store.cat_file(file.path, start=offset, end=offset + size)
        # A server may not know ranges and send the whole file: the file object notices, cat_file does not.
        with self.store.open(file.path, size=file.size, block_size=size, cache_type="none") as opened:
            opened.seek(offset)
            return opened.read(size)

    def _first_bytes(self, name: str) -> bytes:
        def read() -> bytes:
            with self.store.open(self._path(name), "rb") as file:
                return file.read(HEAD_BYTES)

        try:
            return patiently(read)
        except OSError:
            return b""

    def _listed(self, where: str) -> list[dict[str, object]]:
        shown = on_one_line(self.store.unstrip_protocol(where))
        path = f"{where}/" if self._is_web else where  # web servers answer with a redirection without a slash
        try:
            entries = patiently(lambda: self.store.ls(path, detail=True))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(f"{shown} does not exist, or is no folder: expected {LAYOUT} in it") from error
        except PermissionError as error:
            raise _unauthorized(shown, error) from error
        except (OSError, NotImplementedError) as error:
            raise PipelineError(f"cannot list {shown}: {reason(error)}; check the address") from error
        if [str(entry["name"]).rstrip("/") for entry in entries] == [where] and entries[0]["type"] == "file":
            raise UsageError(f"{shown} is a file, not a folder of images: expected {LAYOUT} below a folder")
        return entries

    def _file(self, name: str, details: dict[str, object], now_s: float) -> StoredFile | None:
        if details.get("type") == "directory":
            return None
        size = details.get("size")
        if not isinstance(size, int):
            raise PipelineError(f"the store does not tell the size of {name}: copy the shards here")
        return StoredFile(printable(name), self._path(name), size, version_of(details, now_s=now_s))

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}".rstrip("/")

    @property
    def _is_web(self) -> bool:
        return self.address.startswith("http")


def _unauthorized(shown: str, error: PermissionError) -> UsageError:
    return UsageError(f"{shown} must not be read ({reason(error)}): check the credentials in the environment")


def _is_text(name: str) -> bool:
    return name.isprintable() or not any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in name)
