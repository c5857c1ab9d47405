"""The paths of a table: where the images are, and why one is not where its path says."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline.images.formats.kinds import READ, UNREAD
from pipeline.images.source import ImageItem
from pipeline.images.sources._files import FileSource
from pipeline.images.sources._words import on_one_line

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_FILE = "file:"
_FOLDERS_TRIED = 100


@dataclass(frozen=True, eq=False, kw_only=True)
class NamedFiles(FileSource):
    """A source whose images are the files that a table names.

    Attributes:
        folder: What their paths are relative to.
    """

    folder: Path = field(repr=False)

    def read(self, item: ImageItem) -> bytes:
        """Returns the bytes of an image file.

        Raises:
            OSError: The file is not there, and why, as far as can be told; or cannot be read.
        """
        try:
            return super().read(item)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(error.errno, why_missing(self.folder, item.id)) from error


class ImagePath(NamedTuple):
    """Where a table says that an image is.

    Attributes:
        name: The path, relative to the table's folder or absolute, with ``/``.
        change: What had to be done to the written path so that it leads to a file; empty = nothing.
    """

    name: str
    change: str = ""


def read_path(folder: Path, written: str) -> ImagePath:
    r"""Returns where an image is.

    A path that leads nowhere as it is written, but does so with ``/`` for ``\``, with ``%20`` and its like
    decoded, with ``~`` expanded, or with the blanks around it, is taken so.

    Args:
        folder: The table's.
        written: The path as the table has it.

    Raises:
        ValueError: It is empty, a URL, or a path of another system.
    """
    path = written.strip()
    if not path:
        raise ValueError("the path is empty")
    if path.lower().startswith(_FILE):
        path = _of_file_url(path)
    elif _URL.match(path):
        raise ValueError(f"{path!r} is a URL: download the images and give their paths")
    for other, change in _readings(written, path):
        if os.path.exists(folder / path):
            break
        if os.path.exists(folder / other):
            return ImagePath(_tidy(other), change)
    if os.name != "nt" and _WINDOWS.match(path) and not os.path.exists(folder / path):
        raise ValueError(
            f"{path!r} is a path on a Windows machine: write paths relative to the table, which lie here, too"
        )
    return ImagePath(_tidy(path))


def why_missing(folder: Path, name: str) -> str:
    """Says, as far as can be told, why there is no file where a table says.

    Args:
        folder: The table's.
        name: The path that leads nowhere.
    """
    path = folder / name
    if os.path.islink(path):
        return f"a link to {on_one_line(os.readlink(path))}, where nothing is"
    if "\\" in name:
        return 'no such file, nor one with "/" for each "\\"'
    if not os.path.isabs(name) and os.path.exists(name):
        return (
            f"no such file beside the table, but in the working folder {on_one_line(os.getcwd())}: paths are "
            f"relative to the table, so move it there"
        )
    if suffix := next(
        (suffix for suffix in sorted(READ | UNREAD.keys()) if os.path.exists(f"{path}{suffix}")), None
    ):
        return f"no such file, but one with {suffix} at the end of its name: write the whole names"
    if other := _alike(path):
        return f"no such file, but {on_one_line(other)!r}, which is spelled otherwise"
    if place := _elsewhere(folder, name):
        return f"no such file, but {on_one_line(place)!r}: paths are relative to the table's folder"
    return "no such file"


def _readings(written: str, path: str) -> Iterator[tuple[str, str]]:
    """Yields other readings of a path, each with what it changes; none where nothing is unusual."""
    if "\\" in path:
        yield path.replace("\\", "/"), 'with "/" for "\\"'
    if "%" in path:
        yield unquote(path), "with %20 and its like decoded"
    if path.startswith("~"):
        yield os.path.expanduser(path), "with ~ expanded"
    if written != path and not written.lstrip().lower().startswith(_FILE):
        yield written, "with the blanks around them"


def _of_file_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"{url!r} is a file of another machine: copy the images and give their paths")
    return unquote(parts.path)


def _tidy(path: str) -> str:
    return Path(os.path.normpath(path)).as_posix()


def _alike(path: Path) -> str | None:
    """Returns the name of a file beside the path that differs in case or in its form of Unicode only."""
    name = _by_plain_name(os.fspath(path.parent)).get(_plain(path.name))
    return name if name is not None and os.path.exists(path.parent / name) else None


@lru_cache(maxsize=16)
def _by_plain_name(folder: str) -> dict[str, str]:
    try:
        return {_plain(name): name for name in os.listdir(folder)}
    except OSError:
        return {}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _elsewhere(folder: Path, name: str) -> str | None:
    """Returns where else near the table the image is: below a folder there, or without leading ones."""
    parts = Path(name).parts
    for start in range(1, len(parts)):
        shorter = os.path.join(*parts[start:])
        if os.path.exists(folder / shorter):
            return shorter
    for inside in _folders(os.fspath(folder)):
        if os.path.exists(folder / inside / name):
            return os.path.join(inside, name)
    return None


@lru_cache(maxsize=4)
def _folders(folder: str) -> tuple[str, ...]:
    try:
        with os.scandir(folder) as found:
            return tuple(sorted(entry.name for entry in found if entry.is_dir()))[:_FOLDERS_TRIED]
    except OSError:
        return ()
