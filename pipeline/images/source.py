"""What an image source offers: images with labels, one by one, and remarks on what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.images.targets import TargetTable
from pipeline.wording import first_few

SPLITS = ("train", "val", "test")
UNLABELLED = -1


@dataclass(frozen=True, slots=True)
class ImageItem:
    """One image of a source, not yet read.

    Attributes:
        id: Unique name inside the source: a relative path with ``/``, or ``array[17]``.
        label: Index into the source's ``classes``; ``UNLABELLED`` where there is none.
        split: ``train``, ``val`` or ``test`` where the source says so, else None.
        group: Items of one group (a patient, a product) stay in one split; None = no group.
        path: The file behind the item, for the stat cache; None where there is no file of its own.
        version: What a remote store says to tell this content from a later one (an ETag, or size and time),
            for the stat cache; None where it says nothing that can be relied on. In tar shards, that of the
            shard and where the image begins in it.
    """

    id: str
    label: int
    split: str | None = None
    group: str | None = None
    path: Path | None = None
    version: str | None = None


@dataclass(frozen=True)
class BadImage:
    """A listed image that cannot be used.

    Attributes:
        id: Its name in the source.
        reason: Why, in a few words.
        digest: SHA-256 of the image in hex where its content is at fault; empty where the file could not be
            read, which may pass.
        split: The split that the source states for it, if any.
    """

    id: str
    reason: str
    digest: str = ""
    split: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """Files or entries of a source that were not taken for images of the set.

    Attributes:
        what: What they are, and why they were left out.
        count: How many.
        examples: The first few, as shown to people.
    """

    what: str
    count: int
    examples: tuple[str, ...]

    @property
    def line(self) -> str:
        """All of it as people read it."""
        listed = first_few(self.examples, len(self.examples), total=self.count)
        return f"left out {self.what} ({self.count:,}): {listed}"


class ImageSource(Protocol):
    """Lists images with labels and reads them one by one."""

    @property
    def uri(self) -> str:
        """Canonical address of the source (absolute path, ``builtin:digits``): its identity."""
        ...

    @property
    def name(self) -> str:
        """Default name of the data set in the cache."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in natural order; labels index into it."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user on what was understood; what was left out is not repeated there."""
        ...

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What stands there and is not among the images."""
        ...

    def items(self) -> Sequence[ImageItem]:
        """Returns all images in a stable order; see ``images/image_list.py`` where they may be many."""
        ...

    def read(self, item: ImageItem) -> bytes | np.ndarray:
        """Returns an encoded image file as bytes, or pixels (height, width[, 1 | 3 | 4]) of any number type.

        Raises:
            OSError: The image cannot be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class ListedSource:
    """What all sources of this package have in common; see :class:`ImageSource`.

    Attributes:
        uri: Canonical address.
        name: Default name of the data set.
        classes: Class names; labels index into them.
        notes: Remarks for the user.
        listed: The images in order.
        left_out: What stands there and is not among the images.
        targets: What the labels of items stand for, where they are no classes; ``classes`` are then the names
            of the targets.
    """

    uri: str
    name: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    listed: Sequence[ImageItem] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()
    targets: TargetTable | None = None

    def items(self) -> Sequence[ImageItem]:
        """Returns all images in a stable order."""
        return self.listed


def targets_of(source: ImageSource) -> TargetTable | None:
    """Returns what the labels of a source's items stand for; None where they are classes."""
    return getattr(source, "targets", None)


def remarks_on(source: ImageSource) -> list[str]:
    """Returns what people are told of a source: its notes, and what it leaves out."""
    return [*source.notes, *(one.line for one in source.left_out)]
