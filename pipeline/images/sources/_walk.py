"""Walking through folders of images: sorted, fast, and never out of the root."""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images._formats import looks_like_image
from pipeline.images.file_kinds import Kind, kind_of
from pipeline.images.sources._files import first_bytes
from pipeline.images.sources._words import SHOWN, in_natural_order, on_one_line, printable, some

LITTER = frozenset(("__MACOSX", "@eaDir"))


class Listing(NamedTuple):
    """Names of the folders (in natural order) and image files (sorted) directly in a folder."""

    folders: list[str]
    images: list[str]


@dataclass
class PassedOver:
    """What was passed over: how much of each folder, and the first few names of all.

    A folder may be listed twice; all names would take more memory than the images where each has a text file.

    Attributes:
        first: Relative paths, sorted as they are shown.
    """

    first: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def __str__(self) -> str:
        return some([printable(path) for path in self.first], total=len(self))

    def add(self, folder: str, names: Sequence[str]) -> None:
        """Notes names of a folder: all of its kind at once."""
        if names:
            self._counts[folder] = len(names)
            paths = {*self.first, *(folder + name for name in names)}
            self.first = heapq.nsmallest(SHOWN, paths, key=printable)


@dataclass
class Walker:
    """Lists images below a root and keeps account of all it passes over.

    Attributes:
        root: Absolute path without links.
        ignored: Files that are no images.
        strays: Links that lead out of the root, or back to a folder they stand in.
        shards: Whether a tar file was seen.
    """

    root: str
    ignored: PassedOver = field(default_factory=PassedOver)
    strays: PassedOver = field(default_factory=PassedOver)
    shards: bool = False

    def listing(self, folder: str) -> Listing:
        """Lists one folder.

        Args:
            folder: Path relative to the root, ``""`` or ending in ``/``.

        Raises:
            UsageError: The folder cannot be listed.
        """
        folders: list[str] = []
        images: list[str] = []
        ignored: list[str] = []
        strays: list[str] = []
        where = os.path.join(self.root, folder)
        try:
            with os.scandir(where) as entries:
                for entry in entries:
                    if entry.is_symlink() and self._strays(where, entry.path):
                        strays.append(entry.name)
                    elif entry.is_dir():
                        if not (entry.name.startswith(".") or entry.name in LITTER):
                            folders.append(entry.name)
                    elif _is_image(entry):
                        images.append(entry.name)
                    else:
                        ignored.append(entry.name)
                        self.shards |= entry.name.lower().endswith(".tar")
        except OSError as error:
            raise UsageError(
                f"cannot list {on_one_line(where)}: {error.strerror}; check its permissions"
            ) from error
        self.ignored.add(folder, ignored)
        self.strays.add(folder, strays)
        return Listing(in_natural_order(folders), sorted(images))

    def images(self, folder: str) -> Iterator[str]:
        """Yields the relative paths of all images below a folder; through links, no folder is seen twice."""
        seen: set[str] = set()
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            real = os.path.realpath(os.path.join(self.root, current))
            if real in seen:
                continue
            seen.add(real)
            listing = self.listing(current)
            yield from (current + name for name in listing.images)
            waiting += [f"{current}{name}/" for name in reversed(listing.folders)]

    def notes(self) -> list[str]:
        """Returns remarks on what was passed over."""
        notes = []
        if self.ignored:
            kind = _count(self.ignored, "file that is no image", "files that are no images")
            notes.append(f"ignored {kind}: {self.ignored}")
        if self.strays:
            kind = _count(self.strays, "link", "links")
            notes.append(f"ignored {kind} out of the folder or back up: {self.strays}")
        return notes

    def _strays(self, folder: str, link: str) -> bool:
        try:
            target, here = os.path.realpath(link), os.path.realpath(folder)
        except OSError:  # where it leads cannot be read
            return True
        try:
            os.stat(link)
        except OSError as error:  # a missing target is no image; a ring of links has none at all
            if error.errno == errno.ELOOP:
                return True
        return not _within(target, self.root) or _within(here, target)


def _is_image(entry: os.DirEntry[str]) -> bool:
    kind = Kind.OTHER if entry.name.startswith(".") else kind_of(entry.name)
    if kind not in (Kind.IMAGE, Kind.UNKNOWN) or not entry.is_file():
        return False
    return kind is Kind.IMAGE or looks_like_image(first_bytes(entry.path))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _count(paths: PassedOver, one: str, many: str) -> str:
    return f"1 {one}" if len(paths) == 1 else f"{len(paths):,} {many}"
