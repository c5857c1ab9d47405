"""Tar shards in the WebDataset convention, on this machine or in a remote store, read image by image."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.errors import PipelineError, UsageError
from pipeline.images.listing import list_images
from pipeline.images.source import UNLABELLED, ImageItem, LeftOut
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._files import MAX_BYTES
from pipeline.images.sources._left_out import Omissions, Patterns
from pipeline.images.sources._masks import Masks
from pipeline.images.sources._remote_shards import RemoteShards
from pipeline.images.sources._samples import Found, ShardAccount, read_samples
from pipeline.images.sources._shard_files import LocalShards, Shard, ShardFiles
from pipeline.images.sources._shard_labels import Meaning, understand
from pipeline.images.sources._shards import data_name, is_shards, refuse_packed, split_of_shard
from pipeline.images.sources._stores import protocol_of, reason
from pipeline.images.sources._tar import Window
from pipeline.images.sources._words import on_one_line, printable, some
from pipeline.images.stat_cache import UNSETTLED
from pipeline.wording import counted

ADDRESS = (
    "tar shards (photos.tar, photos-{000..099}.tar, 'shards/*.tar'; also s3://bucket/photos-{000..099}.tar)"
)

OPTIONS: tuple[str, ...] = ("leave_out",)

_PLACE = re.compile(r" @([0-9]+)\+([0-9]+)\Z")
_THREADS = 8  # shards listed at once in a remote store, where threads mostly wait


def claims(uri: str) -> bool:
    """Tells whether the address ends as one of tar shards does."""
    return is_shards(uri)


def open_uri(uri: str, options: SourceOptions) -> ShardSource:
    """Lists the images in tar shards; their headers and labels are read, the images are not.

    Raises:
        UsageError: A shard is missing, compressed, cut off or damaged, or its labels cannot be understood.
        PipelineError: The store does not answer.
    """
    refuse_packed(uri)
    files: ShardFiles = RemoteShards.at(uri) if protocol_of(uri) else LocalShards.at(uri)
    shards = files.find()
    account = Account(Patterns(options.leave_out))
    listed = list(zip(shards, _list(files, shards, account), strict=True))
    empty = [shard.name for shard, found in listed if not found]
    if len(empty) == len(shards):
        raise UsageError(
            f"{on_one_line(files.address)} holds no images: expected key.jpg, key.cls, ..."
            + "".join(f"; {one.line}" for one in account.omissions.left_out())
        )
    remarks = [f"no images in {some(empty)}"] if empty else []
    meaning = understand(files, listed, remarks)
    return ShardSource(
        uri=printable(files.address),
        name=data_name(files.root, files.rest),
        classes=meaning.classes,
        notes=(*remarks, *account.notes(), *_unversioned(files, shards)),
        listed=list_images(_items(listed, meaning)),
        files=files,
        shards=shards,
        left_out=account.omissions.left_out(),
    )


@dataclass(frozen=True, eq=False)
class ShardSource:
    """An image source in tar shards; see :class:`pipeline.images.source.ImageSource`.

    Attributes:
        uri: Canonical address of all shards, with its braces and stars.
        name: Default name of the data set.
        classes: Class names in natural order.
        notes: Remarks for the user.
        listed: The images in order.
        files: Where the shards are kept.
        shards: The shards as they were when they were listed.
        left_out: What stands there and is not among the images.
    """

    uri: str
    name: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    listed: Sequence[ImageItem] = field(repr=False)
    files: ShardFiles = field(repr=False)
    shards: Sequence[Shard] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()

    @property
    def root(self) -> str:
        """What the stat cache knows images below: the same for all addresses of the same shards."""
        return self.uri.removesuffix(printable(self.files.rest))

    def items(self) -> Sequence[ImageItem]:
        """Returns all images in a stable order: shards in natural order, members as they stand in them."""
        return self.listed

    def read(self, item: ImageItem) -> bytes:
        """Returns the bytes of one image, by one read or request.

        Raises:
            OSError: The shard is gone or has changed, the image is larger than 1 GiB, or it cannot be read.
        """
        shard = self._shard_of(item.id)
        place = _PLACE.search(item.version or "")
        if shard is None or place is None:
            raise OSError(f"{item.id} is in none of the shards of {self.uri}")
        offset, size = map(int, place.groups())
        if size > MAX_BYTES:
            raise OSError(f"{size:,} bytes are more than the limit of {MAX_BYTES:,}")
        data = self.files.read(shard, offset, size)
        if len(data) < size:
            raise OSError(f"{shard.name} ends within this image")
        return data

    @cached_property
    def _by_name(self) -> dict[str, Shard]:
        return {shard.name: shard for shard in self.shards}

    def _shard_of(self, name: str) -> Shard | None:
        at = -1
        while (at := name.find("/", at + 1)) >= 0:
            if shard := self._by_name.get(name[:at]):
                return shard
        return None


class Account:
    """What is to be said of all shards.

    Attributes:
        patterns: What the user leaves out.
        omissions: What was left out.
    """

    def __init__(self, patterns: Patterns) -> None:
        self.patterns = patterns
        self.omissions = Omissions()
        self._masks = Masks()
        self._samples = self._numbered = 0
        self._example: list[str] = []

    def add(self, of_shard: ShardAccount, found: Sequence[Found]) -> None:
        """Adds what is known of a shard."""
        of_shard.tell(self.omissions)
        self._samples += of_shard.samples
        self._numbered += of_shard.numbered
        self._example = self._example or of_shard.example
        folders: dict[str, list[str]] = defaultdict(list)
        for image in found:
            folder, slash, name = image.name.rpartition("/")
            folders[f"{of_shard.name}/{folder}{slash}"].append(name)
        for folder, names in folders.items():
            self._masks.look(folder, names)

    def notes(self) -> list[str]:
        """Returns all remarks but those on what was left out."""
        notes = []
        if self._samples:
            samples = counted(self._samples, "sample")
            notes.append(f"images of one sample are a group of one split ({samples}): {some(self._example)}")
        if self._numbered:
            notes.append(
                f"{counted(self._numbered, 'image')} told apart by a number after the first dot (cat.0.jpg) "
                "stand each for itself: give their samples a .cls or .json if they belong together"
            )
        return [*notes, *self._masks.notes(), *self.patterns.unused(self.omissions)]


def _list(files: ShardFiles, shards: Sequence[Shard], account: Account) -> Iterator[list[Found]]:
    """Yields the images of each shard, in order."""

    def look(shard: Shard) -> tuple[list[Found], ShardAccount]:
        of_shard = ShardAccount(shard.name, account.patterns)
        smallest, largest = files.window
        window = Window(
            lambda offset, length: files.read(shard, offset, length),
            shard.size,
            smallest=smallest,
            largest=largest,
        )
        try:
            return read_samples(window, on_one_line(shard.path), of_shard), of_shard
        except OSError as error:
            raise PipelineError(f"cannot read {on_one_line(shard.path)}: {reason(error)}") from error

    with ThreadPoolExecutor(_THREADS if isinstance(files, RemoteShards) else 1) as pool:
        try:
            for found, of_shard in pool.map(look, shards):
                account.add(of_shard, found)
                yield found
        finally:
            pool.shutdown(cancel_futures=True)


def _items(listed: list[tuple[Shard, list[Found]]], meaning: Meaning) -> Iterator[ImageItem]:
    """Yields all images, shard by shard."""
    index = {name: i for i, name in enumerate(meaning.classes)}
    described = any(image.split for _, found in listed for image in found)
    with_split = without = None
    for shard, found in listed:
        version, named = _short(shard.version), split_of_shard(shard.name)
        for image in found:
            split = meaning.split_of(shard, image, named)
            with_split, without = with_split or (split and shard), without or (split is None and shard)
            label = meaning.label_of(image)
            yield ImageItem(
                id=f"{shard.name}/{image.name}",
                label=UNLABELLED if label is None else index[label],
                split=split,
                group=image.group,
                version=f"{version} @{image.offset}+{image.size}",
            )
    if with_split and without and not described:
        raise UsageError(
            f"the name of {with_split.name} states a split, that of {without.name} none: name every shard "
            "like train-000.tar, val-000.tar, test-000.tar, or give them as two data sets"
        )


def _short(version: str | None) -> str:
    """Returns a version of 16 letters, because every image of the shard repeats it."""
    return UNSETTLED if version is None else hashlib.sha256(version.encode()).hexdigest()[:16]


def _unversioned(files: ShardFiles, shards: Sequence[Shard]) -> list[str]:
    unknown = sum(shard.version is None for shard in shards)
    if not unknown or isinstance(files, LocalShards):
        return []
    return [
        f"{files.address} states no version of {unknown:,} of its shards: they are read again by every run"
    ]
