"""A folder of images: ``root/<split>/<class>/image.jpg`` or ``root/<class>/image.jpg``."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images import SPLITS, UNLABELLED, ImageItem
from pipeline.images.sources._files import FileSource, existing
from pipeline.images.sources._walk import Listing, Walker
from pipeline.images.sources._words import in_natural_order, on_one_line, printable, some, split_of

ADDRESS = "a folder (root/train/cats/1.jpg or root/cats/1.jpg)"

_LAYOUT = "<class>/image.jpg or <split>/<class>/image.jpg, with splits train, val, test"


class _Found(NamedTuple):
    """An image's relative path with the split and class (None: no label) that its folders name."""

    path: str
    split: str | None
    label: str | None


def claims(uri: str) -> bool:
    """Tells whether the address is a folder."""
    return os.path.isdir(os.path.expanduser(uri))


def open_uri(uri: str) -> FileSource:
    """Lists the images of a folder.

    Classes are the class folders of all splits together. Images deeper than a class folder belong to it. A
    split folder with images but no class folders holds unlabelled images.

    Raises:
        UsageError: The folder is missing, empty, or laid out differently.
    """
    root = existing(uri)
    if not root.is_dir():
        raise UsageError(f"{root} is a file, not a folder of images: expected {_LAYOUT} below a folder")
    walker = Walker(str(root))
    top = walker.listing("")
    notes: list[str] = []
    if any(split_of(folder) for folder in top.folders):
        found = _by_split(walker, top, notes)
    else:
        found = _by_class(walker, "", None, _labelled_folders(walker, top), top.images, notes)
    classes = in_natural_order({image.label for image in found if image.label is not None})
    index = {name: i for i, name in enumerate(classes)}
    return FileSource(
        uri=str(root),
        name=printable(root.name) or "images",
        classes=tuple(classes),
        notes=(*notes, *_absent_classes(found, classes), *walker.notes()),
        listed=[
            ImageItem(
                id=printable(image.path),
                label=UNLABELLED if image.label is None else index[image.label],
                split=image.split,
                path=Path(f"{root}/{image.path}"),
            )
            for image in found
        ],
    )


def _by_split(walker: Walker, top: Listing, notes: list[str]) -> list[_Found]:
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
    found: list[_Found] = []
    for split, (folders, images) in listings.items():
        prefix = f"{named[split][0]}/"
        if folders:
            found += _by_class(walker, prefix, split, folders, images, notes)
        elif images:
            found += [_Found(prefix + image, split, None) for image in images]
        else:
            where = os.path.join(walker.root, named[split][0])
            raise UsageError(f"the {split} folder {where} holds no images: expected <class>/image.jpg in it")
    return found


def _by_class(
    walker: Walker,
    prefix: str,
    split: str | None,
    folders: list[str],
    images: list[str],
    notes: list[str],
) -> list[_Found]:
    """Collects ``<class>/...`` below a prefix; images beside the class folders are passed over."""
    found: list[_Found] = []
    for folder in folders:
        paths = list(walker.images(f"{prefix}{folder}/"))
        if not paths:
            where = on_one_line(os.path.join(walker.root, prefix, folder))
            of_split = f" of the {split} split" if split else ""
            raise UsageError(
                f"the class folder {folder!r}{of_split} holds no images: put some into {where}, or delete it"
            )
        found += [_Found(path, split, printable(folder)) for path in paths]
    if images:
        notes.append(f"ignored images beside class folders: {some([printable(prefix + n) for n in images])}")
    return found


def _labelled_folders(walker: Walker, top: Listing) -> list[str]:
    """Returns the class folders of a root without splits, or explains why it has none."""
    if not top.folders:
        trouble = "images but no class folders" if top.images else "no images"
        raise UsageError(f"{walker.root} holds {trouble}: expected {_LAYOUT} below it")
    if len(top.folders) == 1:
        inner = walker.listing(f"{top.folders[0]}/").folders
        if any(split_of(folder) for folder in inner):
            where = os.path.join(walker.root, top.folders[0])
            raise UsageError(f"the splits are one folder further down: give {where}")
    return top.folders


def _refuse_ambiguous(
    walker: Walker, named: dict[str, list[str]], listings: dict[str, Listing], others: list[str]
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


def _absent_classes(found: Iterable[_Found], classes: list[str]) -> list[str]:
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
