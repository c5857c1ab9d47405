"""Walking through folders of images: sorted, fast, and out of the root only where the user says so."""

from __future__ import annotations

import errno
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.errors import UsageError, reason_of
from pipeline.images.formats.encoded import looks_like_image
from pipeline.images.formats.kinds import Kind, kind_of
from pipeline.images.sources import _left_out as left_out
from pipeline.images.sources._files import first_bytes
from pipeline.images.sources._folder_names import is_own_folder
from pipeline.images.sources._left_out import Omissions, Patterns, by_pattern
from pipeline.images.sources._words import in_natural_order, on_one_line, printable

SYSTEM_NAMES = frozenset(("__MACOSX", "@eaDir", "__pycache__", "$RECYCLE.BIN", "System Volume Information"))
"""Folders that systems and programs leave behind."""

_FOLDER, _IMAGE = "folder", "image"
_NOT_FETCHED = re.compile(r"\.(.+)\.icloud")


class Listing(NamedTuple):
    """Names of the folders (in natural order) and image files (sorted) directly in a folder."""

    folders: list[str]
    images: list[str]


@dataclass
class Walker:
    """Lists images below a root and keeps account of all that is left out.

    Attributes:
        root: Absolute path without links.
        patterns: What the user leaves out.
        follow_links: Links may lead out of the root.
        omissions: What was left out.
        shards: Whether a tar file was seen.
    """

    root: str
    patterns: Patterns = field(default_factory=Patterns)
    follow_links: bool = False
    omissions: Omissions = field(default_factory=Omissions)
    shards: bool = False

    def listing(self, folder: str) -> Listing:
        """Lists one folder.

        Args:
            folder: Path relative to the root, ``""`` or ending in ``/``.

        Raises:
            UsageError: The folder cannot be listed.
        """
        found: dict[str, list[str]] = defaultdict(list)
        where = os.path.join(self.root, folder)
        try:
            with os.scandir(where) as entries:
                for entry in entries:
                    found[self._what(where, folder, entry)].append(entry.name)
        except OSError as error:
            raise UsageError(
                f"cannot list {on_one_line(where)}: {reason_of(error)}; check its permissions"
            ) from error
        listing = Listing(in_natural_order(found.pop(_FOLDER, [])), sorted(found.pop(_IMAGE, [])))
        for what, names in found.items():
            self.omissions.add(what, folder, names)
        return listing

    def images(self, folder: str, first: Listing | None = None) -> Iterator[tuple[str, list[str]]]:
        """Yields each folder below a folder, itself included, with the names of its images.

        Through links, no folder is seen twice.

        Args:
            folder: As in :meth:`listing`.
            first: Its listing, where it is known.
        """
        seen: set[str] = set()
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            real = os.path.realpath(os.path.join(self.root, current))
            if real in seen:
                continue
            seen.add(real)
            listing, first = first or self.listing(current), None
            yield current, listing.images
            waiting += [f"{current}{name}/" for name in reversed(listing.folders)]

    def _what(self, where: str, folder: str, entry: os.DirEntry[str]) -> str:
        """Tells what an entry is: a folder, an image, or something that is left out."""
        name = entry.name
        if pattern := self.patterns.find(printable(folder), printable(name)):
            return by_pattern(pattern)
        if entry.is_symlink() and (trouble := self._trouble(where, entry.path)):
            return trouble
        if entry.is_dir():
            if name in SYSTEM_NAMES:
                return left_out.SYSTEM_FOLDERS
            if not folder and is_own_folder(entry.path):
                return left_out.OWN_FOLDERS
            return left_out.HIDDEN_FOLDERS if name.startswith(".") else _FOLDER
        self.shards |= name.lower().endswith(".tar")
        if name.startswith("."):
            there = _NOT_FETCHED.fullmatch(name)
            return left_out.NOT_HERE if there and kind_of(there[1]) is Kind.IMAGE else left_out.NO_IMAGES
        kind = kind_of(name)
        if kind is Kind.UNFINISHED:
            return left_out.UNFINISHED
        if kind is Kind.OTHER or not entry.is_file():
            return left_out.NO_IMAGES
        known = kind is Kind.IMAGE or looks_like_image(first_bytes(entry.path))
        return _IMAGE if known else left_out.NO_IMAGES

    def _trouble(self, folder: str, link: str) -> str:
        """Says why a link is not followed; empty where it is."""
        try:
            os.stat(link)
            target, here = os.path.realpath(link), os.path.realpath(folder)
        except OSError as error:
            if error.errno == errno.ELOOP:  # a ring of links has no target at all
                return left_out.LINKS_BACK
            missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
            return left_out.LINKS_NOWHERE if missing else left_out.LINKS_LOCKED
        if _within(here, target) or _within(self.root, target):
            return left_out.LINKS_BACK
        return "" if self.follow_links or _within(target, self.root) else left_out.LINKS_OUT


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
