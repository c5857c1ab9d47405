"""Walking through folders of images, here or far away: what is an image, and what is left out and why."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.errors import UsageError, reason_of
from pipeline.images.formats.kinds import Kind, kind_of
from pipeline.images.sources import _left_out as left_out
from pipeline.images.sources._left_out import Omissions, Patterns, by_pattern
from pipeline.images.sources._storage import FILE, FOLDER, FolderItem, Storage
from pipeline.images.sources._words import in_natural_order, on_one_line, printable

SYSTEM_NAMES = frozenset(("__MACOSX", "@eaDir", "__pycache__", "$RECYCLE.BIN", "System Volume Information"))
"""Folders that systems and programs leave behind."""

_IMAGE, _UNKNOWN = "image", "unknown"
_NOT_FETCHED = re.compile(r"\.(.+)\.icloud")


class Listing(NamedTuple):
    """Names of the folders (in natural order) and image files (sorted) directly in a folder."""

    folders: list[str]
    images: list[str]


@dataclass
class Walker:
    """Lists the images below a root, and keeps account of all that is left out.

    Paths are relative to the root; those of folders are ``""`` or end in ``/``.

    Attributes:
        storage: Where the files are.
        patterns: What the user leaves out.
        omissions: What was left out.
        versions: What a store says of each image's version, by its path, until it is taken away.
        shards: Whether a tar file was seen.
    """

    storage: Storage
    patterns: Patterns = field(default_factory=Patterns)
    omissions: Omissions = field(default_factory=Omissions)
    versions: dict[str, str] = field(default_factory=dict)
    shards: bool = False

    @property
    def root(self) -> str:
        """Address of the root, for messages."""
        return self.storage.address

    def listing(self, folder: str) -> Listing:
        """Lists one folder.

        Raises:
            UsageError: It cannot be listed.
            PipelineError: The store does not answer.
        """
        found: dict[str, list[str]] = defaultdict(list)
        versions: dict[str, str] = {}
        try:
            for entry in self.storage.entries(folder):
                what = self._what(folder, entry)
                found[what].append(entry.name)
                if entry.version and what in (_IMAGE, _UNKNOWN):
                    versions[entry.name] = entry.version
        except OSError as error:
            where = on_one_line(f"{self.root}/{folder}")
            raise UsageError(f"cannot list {where}: {reason_of(error)}; check its permissions") from error
        unknown = found.pop(_UNKNOWN, [])
        images = self.storage.images_among(folder, unknown)
        found[left_out.NO_IMAGES] += [name for name in unknown if name not in images]
        listing = Listing(in_natural_order(found.pop(FOLDER, [])), sorted([*found.pop(_IMAGE, []), *images]))
        for name in listing.images:
            if version := versions.get(name):
                self.versions[folder + name] = version
        for what, names in found.items():
            self.omissions.add(what, folder, names)
        return listing

    def images(self, folder: str, first: Listing | None = None) -> Iterator[tuple[str, list[str]]]:
        """Yields each folder below a folder, itself included, with the names of its images.

        Through links, no folder is seen twice.

        Args:
            folder: Where to begin.
            first: Its listing, where it is known.

        Raises:
            UsageError: A folder cannot be listed.
            PipelineError: The store does not answer.
        """
        seen: set[str] = set()
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            identity = self.storage.identity(current)
            if identity in seen:
                continue
            seen.add(identity)
            listing, first = first or self.listing(current), None
            yield current, listing.images
            waiting += [f"{current}{name}/" for name in reversed(listing.folders)]

    def _what(self, folder: str, entry: FolderItem) -> str:
        """Tells what an entry is: a folder, an image, what may be one, or something that is left out."""
        name = entry.name
        if pattern := self.patterns.find(printable(folder), printable(name)):
            return by_pattern(pattern)
        kind = entry.kind()
        if kind in (FOLDER, left_out.OWN_FOLDERS):
            if name in SYSTEM_NAMES:
                return left_out.SYSTEM_FOLDERS
            return left_out.HIDDEN_FOLDERS if kind == FOLDER and name.startswith(".") else kind
        if kind != FILE:
            return kind
        self.shards |= name.lower().endswith(".tar")
        if name.startswith("."):
            there = _NOT_FETCHED.fullmatch(name)
            return left_out.NOT_HERE if there and kind_of(there[1]) is Kind.IMAGE else left_out.NO_IMAGES
        return {
            Kind.IMAGE: _IMAGE,
            Kind.UNKNOWN: _UNKNOWN,
            Kind.UNFINISHED: left_out.UNFINISHED,
            Kind.OTHER: left_out.NO_IMAGES,
        }[kind_of(name)]
