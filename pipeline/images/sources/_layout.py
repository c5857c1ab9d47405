"""What a tree of folders means, here or far away: ``<split>/<class>/image.jpg`` or ``<class>/image.jpg``."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
    """An image's relative path with the split and class (None: no label) that its folders name."""

    path: str
    split: str | None
    label: str | None


class Laid(NamedTuple):
    """What a tree holds: images in order, class names in natural order, remarks for the user."""

    found: list[Found]
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    def labels(self) -> list[int]:
        """Returns the label of each image, ``UNLABELLED`` where its folders name none."""
        index: dict[str | None, int] = {name: i for i, name in enumerate(self.classes)}
        return [index.get(image.label, UNLABELLED) for image in self.found]


def read_layout(walker: Lister) -> Laid:
    """Lists a tree and tells what its folders mean.

    Classes are the class folders of all splits together. Images deeper than a class folder belong to it. A
    split folder with images but no class folders holds unlabelled images.

    Raises:
        UsageError: It is empty, or laid out differently.
    """
    top = walker.listing("")
    notes: list[str] = []
    if any(split_of(folder) for folder in top.folders):
        found = _by_split(walker, top, notes)
    else:
        found = _by_class(walker, "", None, _labelled_folders(walker, top), top.images, notes)
    classes = in_natural_order({image.label for image in found if image.label is not None})
    notes += [*_absent_classes(found, classes), *walker.notes()]
    return Laid(found, tuple(classes), tuple(notes))


def _by_split(walker: Lister, top: Listing, notes: list[str]) -> list[Found]:
    """Collects ``<split>/<class>/...`` in the order train, val, test."""
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
    found: list[Found] = []
    for split, (folders, images) in listings.items():
        prefix = f"{named[split][0]}/"
        if folders:
            found += _by_class(walker, prefix, split, folders, images, notes)
        elif images:
            found += [Found(prefix + image, split, None) for image in images]
        else:
            where = os.path.join(walker.root, named[split][0])
            raise UsageError(
                f"the {split} folder {where} holds no images: expected <class>/image.jpg in it"
                + _or_shards(walker, "*/*.tar")
            )
    return found


def _by_class(
    walker: Lister,
    prefix: str,
    split: str | None,
    folders: list[str],
    images: list[str],
    notes: list[str],
) -> list[Found]:
    """Collects ``<class>/...`` below a prefix; images beside the class folders are passed over."""
    found: list[Found] = []
    for folder in folders:
        paths = list(walker.images(f"{prefix}{folder}/"))
        if not paths:
            where = on_one_line(os.path.join(walker.root, prefix, folder))
            of_split = f" of the {split} split" if split else ""
            raise UsageError(
                f"the class folder {folder!r}{of_split} holds no images: put some into {where}, or delete it"
            )
        found += [Found(path, split, printable(folder)) for path in paths]
    if images:
        notes.append(f"ignored images beside class folders: {some([printable(prefix + n) for n in images])}")
    return found


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


def _absent_classes(found: Iterable[Found], classes: list[str]) -> list[str]:
    """Remarks on classes that some labelled split lacks."""
    present: dict[str, set[str]] = defaultdict(set)
    for image in found:
        if image.split and image.label is not None:
            present[image.split].add(image.label)
    return [
        f"no images in {split} of: {some(absent)}"
        for split, names in present.items()
        if (absent := [name for name in classes if name not in names])
    ]
