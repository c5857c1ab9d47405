"""A folder of images in a remote store (``s3://bucket/photos``), read through fsspec without a local copy."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, UsageError
from pipeline.images.formats.encoded import looks_like_image
from pipeline.images.formats.kinds import HEAD_BYTES, Kind, kind_of
from pipeline.images.listing import ImageListBuilder
from pipeline.images.source import ImageItem, LeftOut
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import _left_out as left_out
from pipeline.images.sources._files import MAX_BYTES
from pipeline.images.sources._folder_images import FolderImages
from pipeline.images.sources._folder_layout import LAYOUT
from pipeline.images.sources._left_out import Omissions, Patterns, by_pattern
from pipeline.images.sources._shards import is_shards
from pipeline.images.sources._stores import connect, patiently, protocol_of, reason, version_of
from pipeline.images.sources._walk import SYSTEM_NAMES, Listing
from pipeline.images.sources._words import in_natural_order, on_one_line

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

ADDRESS = "a remote folder (s3://, gs://, az://, hf://, sftp://, https://; laid out like a local one)"

OPTIONS: tuple[str, ...] = ("leave_out",)

_CHUNK = 2**20
_LOOKS = 3  # files of a suffix that says nothing, whose first bytes are looked at
_DEEPEST = 64  # folders in folders; a web server may invent them without end


def claims(uri: str) -> bool:
    """Tells whether the address begins with the protocol of a store, and is not one of tar shards."""
    return protocol_of(uri) is not None and not is_shards(uri)


def open_uri(uri: str, options: SourceOptions) -> RemoteSource:
    """Lists the images of a remote folder, laid out as a local one; nothing is downloaded yet.

    Raises:
        UsageError: There is no such folder, it must not be read, it is laid out differently, or a package is
            missing.
        PipelineError: The store does not answer.
    """
    files, path = connect(uri)
    address = files.unstrip_protocol(path)
    walker = RemoteWalker(address, files, path, patterns=Patterns(options.leave_out))
    images = FolderImages(walker)
    builder = ImageListBuilder()
    for name, split, label in images:
        builder.add(name, label, split=split, version=walker.versions.pop(name, None))
    listed = builder.finish(labels=images.labels)
    notes = images.notes()
    if unknown := int((~listed.versioned).sum()):
        notes += (
            f"{address} states no version of {unknown:,} images: their content is read again by every run",
        )
    return RemoteSource(
        uri=address,
        name=path.rsplit("/", 1)[-1] or "images",
        classes=images.classes,
        notes=notes,
        listed=listed,
        files=files,
        path=path,
        left_out=walker.omissions.left_out(),
    )


@dataclass(frozen=True, eq=False)
class RemoteSource:
    """An image source in a remote store; see :class:`pipeline.images.source.ImageSource`.

    Attributes:
        uri: Address with its protocol, without a slash at the end.
        name: Default name of the data set.
        classes: Class names in natural order.
        notes: Remarks for the user.
        listed: The images in order.
        files: The store.
        path: The folder in it.
        left_out: What stands there and is not among the images.
    """

    uri: str
    name: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    listed: Sequence[ImageItem] = field(repr=False)
    files: AbstractFileSystem = field(repr=False)
    path: str = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()

    def items(self) -> Sequence[ImageItem]:
        """Returns all images in a stable order."""
        return self.listed

    def read(self, item: ImageItem) -> bytes:
        """Downloads one image into memory, with retries.

        Raises:
            OSError: It is gone, larger than 1 GiB, or the store does not answer.
        """
        return patiently(lambda: self._download(f"{self.path}/{item.id}"))

    def _download(self, path: str) -> bytes:
        data = bytearray()
        # Sequential blocks without read-ahead: a hostile server cannot make this process hold more than that.
        with self.files.open(path, "rb") as file:
            while len(data) <= MAX_BYTES and (chunk := file.read(_CHUNK)):
                data += chunk
        if len(data) > MAX_BYTES:
            raise PermissionError(f"more than the limit of {MAX_BYTES:,} bytes")
        return bytes(data)


@dataclass
class RemoteWalker:
    """Lists a remote folder, one folder a request.

    Attributes:
        root: Address, for messages.
        files: The store.
        path: The folder in it.
        patterns: What the user leaves out.
        versions: What the store says of each image's version, by relative path, until it is taken away.
        omissions: What was left out.
        shards: Whether a tar file was seen.
    """

    root: str
    files: AbstractFileSystem = field(repr=False)
    path: str
    patterns: Patterns = field(default_factory=Patterns)
    versions: dict[str, str] = field(default_factory=dict)
    omissions: Omissions = field(default_factory=Omissions)
    shards: bool = False

    def listing(self, folder: str) -> Listing:
        """Lists one folder; names that do not stand directly in it are passed over.

        Raises:
            UsageError: There is no such folder, or it must not be listed.
            PipelineError: The store does not answer.
        """
        where = f"{self.path}/{folder}".rstrip("/")
        now_s = time.time()
        folders: set[str] = set()
        images: set[str] = set()
        unknown: set[str] = set()
        others: dict[str, set[str]] = defaultdict(set)
        for details in self._ask(where):
            # HTML pages link to anywhere: what does not stand below is none of this folder's.
            inside, _, name = str(details["name"]).rstrip("/").rpartition("/")
            if inside != where or not name.strip(".") or name.startswith(("?", "#")) or not _is_text(name):
                continue
            is_folder = details.get("type") == "directory"
            if what := self._passed(folder, name, is_folder=is_folder):
                others[what].add(name)
            elif is_folder:
                folders.add(name)
            else:
                (images if kind_of(name) is Kind.IMAGE else unknown).add(name)
                if version := version_of(details, now_s=now_s):
                    self.versions[folder + name] = version
        found = self._images_among(where, unknown)
        for name in unknown - found:
            others[left_out.NO_IMAGES].add(name)
            self.versions.pop(folder + name, None)
        for what, names in others.items():
            self.omissions.add(what, folder, names)
        return Listing(in_natural_order(folders), sorted(images | found))

    def images(self, folder: str, first: Listing | None = None) -> Iterator[tuple[str, list[str]]]:
        """Yields each folder below a folder with the names of its images; its listing may be known.

        Raises:
            UsageError: Folders are nested without end.
        """
        if folder.count("/") > _DEEPEST:
            raise UsageError(
                f"{self.root} has more than {_DEEPEST} folders in one another: give another folder"
            )
        listing = first or self.listing(folder)
        yield folder, listing.images
        for name in listing.folders:
            yield from self.images(f"{folder}{name}/")

    def _passed(self, folder: str, name: str, *, is_folder: bool) -> str:
        """Returns as what a name is passed over; empty where it is a folder, or may be an image."""
        if pattern := self.patterns.find(folder, name):
            return by_pattern(pattern)
        if is_folder:
            hidden = left_out.HIDDEN_FOLDERS if name.startswith(".") else ""
            return left_out.SYSTEM_FOLDERS if name in SYSTEM_NAMES else hidden
        self.shards |= name.lower().endswith(".tar")
        kind = Kind.OTHER if name.startswith(".") else kind_of(name)
        return {Kind.OTHER: left_out.NO_IMAGES, Kind.UNFINISHED: left_out.UNFINISHED}.get(kind, "")

    def _images_among(self, where: str, names: set[str]) -> set[str]:
        """Tells by the first bytes of a few which names without a telling suffix are images.

        Each look is a request, so that a few files of each suffix are looked at; where one is an image, all
        are taken for images, and those that are none are listed as such when they are decoded.
        """
        by_suffix: dict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            by_suffix[os.path.splitext(name)[1].lower()].append(name)
        return {
            name
            for same in by_suffix.values()
            if any(looks_like_image(self._first_bytes(f"{where}/{one}")) for one in same[:_LOOKS])
            for name in same
        }

    def _first_bytes(self, path: str) -> bytes:
        def read() -> bytes:
            with self.files.open(path, "rb") as file:
                return file.read(HEAD_BYTES)

        try:
            return patiently(read)
        except OSError:
            return b""

    def _ask(self, where: str) -> list[dict[str, object]]:
        shown = on_one_line(self.files.unstrip_protocol(where))
        try:
            entries = patiently(lambda: self.files.ls(f"{where}/" if self._is_web else where, detail=True))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(f"{shown} does not exist, or is no folder: expected {LAYOUT} in it") from error
        except PermissionError as error:
            raise UsageError(
                f"{shown} must not be read ({reason(error)}): check the credentials in the environment"
            ) from error
        except (OSError, NotImplementedError) as error:
            raise PipelineError(f"cannot list {shown}: {reason(error)}; check the address") from error
        if [str(entry["name"]).rstrip("/") for entry in entries] == [where] and entries[0]["type"] == "file":
            raise UsageError(f"{shown} is a file, not a folder of images: expected {LAYOUT} below a folder")
        return entries

    @property
    def _is_web(self) -> bool:
        """Whether folders need a slash at the end, without which web servers answer with a redirection."""
        return self.root.startswith("http")


def _is_text(name: str) -> bool:
    return name.isprintable() or not any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in name)
