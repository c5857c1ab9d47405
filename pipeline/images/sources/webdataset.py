"""Tar shards in the WebDataset convention, on this machine or in a remote store, read image by image."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial

from pipeline.errors import PipelineError, UsageError
from pipeline.images.image_list import list_images
from pipeline.images.source import ImageItem, ListedSource
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._files import MAX_BYTES
from pipeline.images.sources._left_out import Omissions, Patterns
from pipeline.images.sources._masks import Masks
from pipeline.images.sources._sample_labels import read_label
from pipeline.images.sources._samples import ReadLabel, ShardAccount, ShardImage, read_samples
from pipeline.images.sources._shard_labels import LabelScheme, understand
from pipeline.images.sources._shards import Shards, data_name, is_shards, refuse_packed, split_of_shard
from pipeline.images.sources._storage import StoredFile
from pipeline.images.sources._stores import reason
from pipeline.images.sources._table_targets import asked_kind
from pipeline.images.sources._tar import Window
from pipeline.images.sources._words import on_one_line, printable, some
from pipeline.images.stat_cache import UNSETTLED
from pipeline.wording import counted

ADDRESS = (
    "tar shards (photos.tar, photos-{000..099}.tar, 'shards/*.tar'; also s3://bucket/photos-{000..099}.tar)"
)

OPTIONS: tuple[str, ...] = ("target", "label_separator", "leave_out")

_PLACE = re.compile(r" @([0-9]+)\+([0-9]+)\Z")


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
    place = Shards.at(uri)
    shards = place.find()
    account = Account(Patterns(options.leave_out))
    kind = asked_kind(options)
    listed = list(zip(shards, _list(place, shards, account, partial(read_label, target=kind)), strict=True))
    empty = [shard.name for shard, found in listed if not found]
    if len(empty) == len(shards):
        raise UsageError(
            f"{on_one_line(place.address)} holds no images: expected key.jpg, key.cls, ..."
            + "".join(f"; {one.line}" for one in account.omissions.left_out())
        )
    remarks = [f"no images in {some(empty)}"] if empty else []
    scheme = understand(place.storage, listed, remarks, options)
    return ShardSource(
        uri=printable(place.address),
        name=data_name(place.storage.root, place.rest),
        classes=scheme.classes,
        targets=scheme.targets,
        notes=(*remarks, *account.notes(), *_unversioned(place, shards)),
        listed=list_images(_items(listed, scheme)),
        place=place,
        shards=shards,
        left_out=account.omissions.left_out(),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class ShardSource(ListedSource):
    """An image source in tar shards; images are in the order of the shards, and as they stand in them.

    Attributes:
        place: Where the shards are.
        shards: The shards as they were when they were listed.
    """

    place: Shards = field(repr=False)
    shards: Sequence[StoredFile] = field(repr=False)

    @property
    def root(self) -> str:
        """What the stat cache knows images below: the same for all addresses of the same shards."""
        return self.uri.removesuffix(printable(self.place.rest))

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
        data = self.place.storage.read(shard, offset, size)
        if len(data) < size:
            raise OSError(f"{shard.name} ends within this image")
        return data

    @cached_property
    def _by_name(self) -> dict[str, StoredFile]:
        return {shard.name: shard for shard in self.shards}

    def _shard_of(self, name: str) -> StoredFile | None:
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

    def add(self, of_shard: ShardAccount, found: Sequence[ShardImage]) -> None:
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


def _list(
    place: Shards, shards: Sequence[StoredFile], account: Account, read: ReadLabel
) -> Iterator[list[ShardImage]]:
    """Yields the images of each shard, in order."""

    def look(shard: StoredFile) -> tuple[list[ShardImage], ShardAccount]:
        of_shard = ShardAccount(shard.name, account.patterns)
        smallest, largest = place.storage.window
        window = Window(
            lambda offset, length: place.storage.read(shard, offset, length),
            shard.size,
            smallest=smallest,
            largest=largest,
        )
        try:
            return read_samples(window, on_one_line(shard.path), of_shard, read), of_shard
        except OSError as error:
            raise PipelineError(f"cannot read {on_one_line(shard.path)}: {reason(error)}") from error

    with ThreadPoolExecutor(place.threads) as pool:
        try:
            for found, of_shard in pool.map(look, shards):
                account.add(of_shard, found)
                yield found
        finally:
            pool.shutdown(cancel_futures=True)


def _items(listed: list[tuple[StoredFile, list[ShardImage]]], scheme: LabelScheme) -> Iterator[ImageItem]:
    """Yields all images, shard by shard."""
    described = any(image.split for _, found in listed for image in found)
    with_split = without = None
    for shard, found in listed:
        version, named = _short(shard.version), split_of_shard(shard.name)
        for image in found:
            split = scheme.split_of(shard, image, named)
            with_split, without = with_split or (split and shard), without or (split is None and shard)
            yield ImageItem(
                id=f"{shard.name}/{image.name}",
                label=scheme.label_of(image),
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


def _unversioned(place: Shards, shards: Sequence[StoredFile]) -> list[str]:
    unknown = sum(shard.version is None for shard in shards)
    if not unknown or not place.storage.is_remote:
        return []
    return [
        f"{place.address} states no version of {unknown:,} of its shards: they are read again by every run"
    ]
