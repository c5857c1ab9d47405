"""The images that a user points at: files in any order, and folders with all that is below them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, ImageItem
from pipeline.images.sources._files import FileSource
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable


def gather_images(places: Sequence[str | Path]) -> FileSource:
    """Lists images without labels, in the order of the places; folders as the folder source walks them.

    A file that is named is taken whatever its name ends in; in folders the suffix decides, and hidden files
    are passed over. Nothing is opened yet.

    Args:
        places: Files and folders.

    Returns:
        A source whose items are named as the user would name them.

    Raises:
        UsageError: There is no such file, a folder cannot be listed, or there is no image anywhere.
    """
    items: list[ImageItem] = []
    notes: list[str] = []
    for place in map(str, places):
        if not os.path.lexists(place):
            raise UsageError(f"{place!r} does not exist: give image files, or folders of images")
        if os.path.isdir(place):
            walker = Walker(os.path.realpath(place))
            items += _items(place, walker.root, walker.images(""))
            notes += walker.notes()
        else:
            items += _items("", "", [place])
    if not items:
        where = ", ".join(map(repr, map(str, places[:3]))) or "nothing"
        raise UsageError(f"no image in {where}: give image files, or folders with images in them")
    return FileSource(uri="", name="images", classes=(), notes=tuple(notes), listed=items)


def _items(place: str, root: str, paths: Iterable[str]) -> list[ImageItem]:
    return [
        ImageItem(id=printable(os.path.join(place, path)), label=UNLABELLED, path=Path(root, path))
        for path in paths
    ]
