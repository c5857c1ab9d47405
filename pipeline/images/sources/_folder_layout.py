"""What a tree of folders means, here or far away.

``<split>/<class>/image.jpg``, ``<class>/image.jpg`` or ``<class>/<split>/image.jpg``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.sources import _left_out as left_out
from pipeline.images.sources._folder_names import LAYOUT, SplitFolders, find_splits
from pipeline.images.sources._walk import Listing, Walker
from pipeline.images.sources._words import on_one_line, printable, some, split_of

_LOOKED_INTO = 8  # folders in one another; a web server may invent them without end


class ImageFolder(NamedTuple):
    """A folder whose images belong together.

    Attributes:
        prefix: Path relative to the root, ending in ``/``.
        split: The split it is in, if its place says so.
        label: The class of all images below it; None = no class, and only what stands directly in it.
        listing: What stands directly in it, where that is known already.
    """

    prefix: str
    split: str | None
    label: str | None
    listing: Listing | None = None


class FolderLayout(NamedTuple):
    """What the folders of a tree mean; most of its images are listed later.

    Attributes:
        folders: Its folders in the order of the images, splits in the order train, val, test.
        remarks: For people.
        mixed: The first class folder that holds more than split folders; empty where there is none.
    """

    folders: list[ImageFolder]
    remarks: list[str]
    mixed: str = ""


def read_layout(walker: Walker) -> FolderLayout:
    """Tells what the folders of a tree mean.

    Images deeper than a class folder belong to it. A split folder with images but no class folders holds
    unlabelled images.

    Raises:
        UsageError: It is empty, or laid out differently.
    """
    top = walker.listing("")
    if not top.folders:
        trouble = "images but no class folders" if top.images else "no images"
        way = "; for images without labels, --label-column none" if top.images else ""
        raise UsageError(
            f"{walker.root} holds {trouble}: expected {LAYOUT} below it{way}{hints(walker, '*.tar')}"
        )
    found = find_splits(top.folders, walker.root)
    if found.splits:
        return _splits(walker, top, found)
    if len(top.folders) == 1:
        look_further(walker, f"{top.folders[0]}/")
    walker.omissions.add(left_out.BESIDE_CLASSES, "", top.images)
    remarks = []
    if found.doubtful:
        remarks.append(f"classes that are called like splits: {shown(list(found.doubtful))}")
    by_split, odd = _classes_of_splits(walker, top.folders)
    if odd is None:
        return FolderLayout(by_split, [*remarks, "the splits are those of the folders in each class folder"])
    folders = [ImageFolder(f"{name}/", None, printable(name)) for name in top.folders]
    return FolderLayout(
        [odd if folder.prefix == odd.prefix else folder for folder in folders], remarks, odd.prefix
    )


def shown(names: Sequence[str], limit: int = 3) -> str:
    """Lists the first few file names on one line."""
    return some([printable(name) for name in names], limit=limit)


def where_is(walker: Walker, path: str) -> str:
    """Returns the address of a folder of a tree as messages show it."""
    return on_one_line(os.path.join(walker.root, printable(path.rstrip("/"))))


def look_further(walker: Walker, prefix: str) -> str:
    """Says where the classes of a tree may be that has one only, and all in one folder.

    Args:
        walker: Lists the tree.
        prefix: The one folder, ending in ``/``.

    Returns:
        The first folder in which there are several, and these; empty where there is none.

    Raises:
        UsageError: These are split folders.
    """
    listing = walker.listing(prefix)
    while (
        len(listing.folders) == 1
        and not listing.images
        and not split_of(listing.folders[0])
        and prefix.count("/") < _LOOKED_INTO
    ):
        prefix = f"{prefix}{listing.folders[0]}/"
        listing = walker.listing(prefix)
    if any(map(split_of, listing.folders)):
        further = "one folder" if prefix.count("/") == 1 else f"{prefix.count('/')} folders"
        raise UsageError(f"the splits are {further} further down: give {where_is(walker, prefix)}")
    if len(listing.folders) < 2:
        return ""
    return f"if its folders are the classes ({shown(listing.folders)}), give {where_is(walker, prefix)}"


def hints(walker: Walker, pattern: str) -> str:
    """Returns what else is known where no images are found, as the end of a message.

    Args:
        walker: Lists the tree.
        pattern: Which tar files would be given.
    """
    account, parts = walker.omissions, []
    for what in (left_out.HIDDEN_FOLDERS, left_out.NOT_HERE):
        if account.count(what):
            parts.append(account.shown(what))
    if account.count(left_out.LINKS_OUT):
        parts.append(
            f"{account.shown(left_out.LINKS_OUT)} are not followed, as those that DVC, git-annex and hubs "
            "make: add --follow-links, or list the files in a .csv table"
        )
    if account.count(left_out.LINKS_NOWHERE):
        parts.append(
            f"{account.shown(left_out.LINKS_NOWHERE)}: fetch the files (`dvc pull`, `git annex get`)"
        )
    if walker.shards:
        parts.append(f"to read the tar files there, give '{walker.root}/{pattern}'")
    elif account.count(left_out.NO_IMAGES):
        parts.append(account.shown(left_out.NO_IMAGES))
    return "".join(f"; {part}" for part in parts)


def empty_split(walker: Walker, split: str, prefix: str) -> UsageError:
    """Returns the error for a split folder without images."""
    return UsageError(
        f"the {split} folder {where_is(walker, prefix)} holds no images: expected <class>/image.jpg in it"
        + hints(walker, "*/*.tar")
    )


def _splits(walker: Walker, top: Listing, found: SplitFolders) -> FolderLayout:
    """Reads the split folders of a tree."""
    folders: list[ImageFolder] = []
    remarks: list[str] = []
    if found.unusual:
        remarks.append(f"folders taken for splits: {shown(found.unusual)}")
    for split, name in found.splits.items():
        prefix, listing = _undoubled(walker, split, f"{name}/", remarks)
        if listing.folders:
            walker.omissions.add(left_out.BESIDE_CLASSES, prefix, listing.images)
            folders += [ImageFolder(f"{prefix}{kind}/", split, printable(kind)) for kind in listing.folders]
        elif listing.images:
            folders.append(ImageFolder(prefix, split, None, listing))
        else:
            raise empty_split(walker, split, prefix)
    _refuse_others(walker, found, labelled=any(folder.label is not None for folder in folders))
    walker.omissions.add(left_out.FOLDERS_BESIDE_SPLITS, "", found.others)
    walker.omissions.add(left_out.BESIDE_SPLITS, "", top.images)
    return FolderLayout(folders, remarks)


def _undoubled(walker: Walker, split: str, prefix: str, remarks: list[str]) -> tuple[str, Listing]:
    """Lists a split folder, or the one of the same split that is all it holds: ``train/train/``."""
    listing = walker.listing(prefix)
    inner = {split_of(name) for name in listing.folders} - {None}
    if inner == {split} and len(listing.folders) == 1 and not listing.images:
        prefix = f"{prefix}{listing.folders[0]}/"
        remarks.append(f"the {split} split is taken from {printable(prefix)}")
        return prefix, walker.listing(prefix)
    if len(inner) > 1:
        raise UsageError(
            f"{where_is(walker, prefix)} is called like the split {split}, and holds split folders: "
            f"{shown(list(filter(split_of, listing.folders)))}; give that folder, or move its folders up"
        )
    return prefix, listing


def _refuse_others(walker: Walker, found: SplitFolders, *, labelled: bool) -> None:
    """Refuses folders of images beside split folders where these may be classes, or splits of another name.

    Raises:
        UsageError: There are some.
    """
    lacking = [name for name in found.others if found.doubtful.get(name, "") not in ("", *found.splits)]
    others = [name for name in (lacking if labelled else found.others) if _has_images(walker, f"{name}/")]
    if not others:
        return
    words = shown(list(found.splits.values()))
    if not labelled:  # car/ plane/ train/, where train may be a split without labels, or a vehicle
        raise UsageError(
            f"{words} in {walker.root} may be a split or a class beside {shown(others)}: "
            "put classes below split folders (train/<class>/image.jpg), or list the images in a .csv table"
        )
    raise UsageError(
        f"{walker.root} has split folders ({words}) and others that may be splits ({shown(others)}): rename "
        f"them to train, val or test, or leave them out with --leave-out '{printable(others[0])}'"
    )


def _has_images(walker: Walker, prefix: str) -> bool:
    return any(names for _, names in walker.images(prefix))


def _classes_of_splits(walker: Walker, names: Sequence[str]) -> tuple[list[ImageFolder], ImageFolder | None]:
    """Reads class folders that hold split folders and nothing else: ``<class>/<split>/image.jpg``.

    Returns:
        The split folders of all classes, and the first class folder that holds anything else; None = there is
        none.
    """
    folders: list[ImageFolder] = []
    for name in names:
        folder = ImageFolder(f"{name}/", None, printable(name), walker.listing(f"{name}/"))
        below, images = folder.listing or ([], [])
        if images or not all(map(split_of, below)):
            return [], folder
        inner = find_splits(below, where_is(walker, name)).splits
        folders += [ImageFolder(f"{name}/{one}/", split, folder.label) for split, one in inner.items()] or [
            folder
        ]
    return folders, None if any(folder.split for folder in folders) else folders[0]
