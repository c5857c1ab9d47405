"""What a tree of folders means, here or far away: ``<split>/<class>/image.jpg`` or ``<class>/image.jpg``."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pipeline.errors import UsageError
from pipeline.images import SPLITS, UNLABELLED
from pipeline.images.sources._walk import Listing
from pipeline.images.sources._words import in_natural_order, on_one_line, printable, some, split_of

LAYOUT = "<class>/image.jpg or <split>/<class>/image.jpg, with splits train, val, test"


class Lister(Protocol):
    """Lists a tree of folders; paths are relative to its root, those of folders end in ``/``.

    Attributes:
        root: The tree, for messages.
        shards: Whether tar files were seen in it.
    """

    root: str
    shards: bool

    def listing(self, folder: str) -> Listing:
        """Lists one folder."""
        ...

    def images(self, folder: str) -> Iterator[str]:
        """Yields the relative paths of all images below a folder."""
        ...

    def notes(self) -> list[str]:
        """Returns remarks on what was passed over."""
        ...


class Found(NamedTuple):
    """An image's relative path with the split and label that its folders name."""

    path: str
    split: str | None
    label: int


class Branch(NamedTuple):
    """A split folder, or the root of a tree without splits.

    Attributes:
        split: The split it stands for, if any.
        prefix: Path relative to the root, ``""`` or ending in ``/``.
        listing: What stands in it: class folders, or images without labels.
    """

    split: str | None
    prefix: str
    listing: Listing

    @property
    def classes(self) -> set[str]:
        """Names of its classes."""
        return {printable(folder) for folder in self.listing.folders}


@dataclass(frozen=True)
class Laid:
    """What the folders of a tree mean.

    Attributes:
        walker: Lists the tree.
        branches: Its parts in the order of the images.
        classes: Class names in natural order; every class folder must hold images.
        remarks: For the user, on what was passed over so far.
    """

    walker: Lister
    branches: list[Branch]
    classes: tuple[str, ...]
    remarks: list[str] = field(default_factory=list)

    def images(self) -> Iterator[Found]:
        """Yields all images in order, one folder in memory at a time; to be called once.

        Raises:
            UsageError: A folder cannot be listed, or holds no images where some are expected.
        """
        labels = {name: i for i, name in enumerate(self.classes)}
        for branch in self.branches:
            if branch.listing.folders:
                yield from self._labelled(branch, labels)
            elif branch.listing.images:
                yield from (
                    Found(branch.prefix + image, branch.split, UNLABELLED) for image in branch.listing.images
                )
            else:
                where = os.path.join(self.walker.root, branch.prefix.rstrip("/"))
                raise UsageError(
                    f"the {branch.split} folder {where} holds no images: expected <class>/image.jpg in it"
                    + _or_shards(self.walker, "*/*.tar")
                )

    def notes(self) -> tuple[str, ...]:
        """Returns all remarks, once all images were listed."""
        return (*self.remarks, *self._absent_classes(), *self.walker.notes())

    def _labelled(self, branch: Branch, labels: dict[str, int]) -> Iterator[Found]:
        """Yields ``<class>/...`` of a branch; images beside the class folders are passed over."""
        split, prefix, (folders, images) = branch
        for folder in folders:
            label, empty = labels[printable(folder)], True
            for path in self.walker.images(f"{prefix}{folder}/"):
                yield Found(path, split, label)
                empty = False
            if empty:
                where = on_one_line(os.path.join(self.walker.root, prefix, folder))
                of_split = f" of the {split} split" if split else ""
                raise UsageError(
                    f"the class folder {folder!r}{of_split} holds no images: "
                    f"put some into {where}, or delete it"
                )
        if images:
            beside = some([printable(prefix + name) for name in images])
            self.remarks.append(f"ignored images beside class folders: {beside}")

    def _absent_classes(self) -> list[str]:
        """Remarks on classes that some labelled split lacks."""
        return [
            f"no images in {branch.split} of: {some(absent)}"
            for branch in self.branches
            if branch.split and (present := branch.classes)
            if (absent := [name for name in self.classes if name not in present])
        ]


def read_layout(walker: Lister) -> Laid:
    """Tells what the folders of a tree mean; most of its images are listed later.

    Classes are the class folders of all splits together. Images deeper than a class folder belong to it. A
    split folder with images but no class folders holds unlabelled images.

    Raises:
        UsageError: It is empty, or laid out differently.
    """
    top = walker.listing("")
    notes: list[str] = []
    if any(split_of(folder) for folder in top.folders):
        branches = _splits(walker, top, notes)
    else:
        branches = [Branch(None, "", Listing(_labelled_folders(walker, top), top.images))]
    classes = in_natural_order(set().union(*(branch.classes for branch in branches)))
    return Laid(walker, branches, tuple(classes), notes)


def _splits(walker: Lister, top: Listing, notes: list[str]) -> list[Branch]:
    """Lists the split folders in the order train, val, test."""
    named: dict[str, list[str]] = defaultdict(list)
    others: list[str] = []
    for folder in top.folders:
        (named[split] if (split := split_of(folder)) else others).append(folder)
    for split, folders in named.items():
        if len(folders) > 1:
            raise UsageError(
                f"{walker.root} has {len(folders)} folders for the split {split}: {', '.join(folders)}; "
                "merge them, or rename all but one"
            )
    listings = {split: walker.listing(f"{named[split][0]}/") for split in SPLITS if split in named}
    _refuse_ambiguous(walker, named, listings, others)
    if others:
        notes.append(f"ignored folders beside the split folders: {some([printable(n) for n in others])}")
    if top.images:
        notes.append(f"ignored images beside the split folders: {some([printable(n) for n in top.images])}")
    return [Branch(split, f"{named[split][0]}/", listing) for split, listing in listings.items()]


def _labelled_folders(walker: Lister, top: Listing) -> list[str]:
    """Returns the class folders of a root without splits, or explains why it has none."""
    if not top.folders:
        trouble = "images but no class folders" if top.images else "no images"
        raise UsageError(
            f"{walker.root} holds {trouble}: expected {LAYOUT} below it" + _or_shards(walker, "*.tar")
        )
    if len(top.folders) == 1:
        inner = walker.listing(f"{top.folders[0]}/").folders
        if any(split_of(folder) for folder in inner):
            where = os.path.join(walker.root, top.folders[0])
            raise UsageError(f"the splits are one folder further down: give {where}")
    return top.folders


def _or_shards(walker: Lister, pattern: str) -> str:
    """Returns how to take the tar shards that were seen, as the end of a message; empty if there are none."""
    if not walker.shards:
        return ""
    return f"; to read the tar files there, give '{walker.root}/{pattern}'"


def _refuse_ambiguous(
    walker: Lister, named: dict[str, list[str]], listings: dict[str, Listing], others: list[str]
) -> None:
    """Refuses ``car/ plane/ train/``, where ``train`` may be a split without labels, or a vehicle."""
    if any(listing.folders for listing in listings.values()):
        return
    classlike = [name for name in others if walker.listing(f"{name}/").images]
    if classlike:
        words = [folder for folders in named.values() for folder in folders]
        raise UsageError(
            f"{', '.join(words)} in {walker.root} may be a split or a class beside {some(classlike)}: "
            "put classes below split folders (train/<class>/image.jpg), or list the images in a .csv table"
        )
