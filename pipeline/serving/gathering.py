"""The images that a user points at: files in any order, and folders with all that is below them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED
from pipeline.images.listing import ImageListBuilder
from pipeline.images.sources._files import FileSource
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable
from pipeline.paths import expanded


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
    items = ImageListBuilder()
    notes: list[str] = []
    for place in map(str, map(expanded, places)):
        if not os.path.lexists(place):
            raise UsageError(f"{place!r} does not exist: give image files, or folders of images")
        if os.path.isdir(place):
            walker = Walker(os.path.realpath(place))
            for path in walker.images(""):
                _add(items, os.path.join(place, path), os.path.join(walker.root, path))
            notes += walker.notes()
        else:
            _add(items, place, place)
    if not len(items):
        where = ", ".join(map(repr, map(str, places[:3]))) or "nothing"
        raise UsageError(f"no image in {where}: give image files, or folders with images in them")
    return FileSource(uri="", name="images", classes=(), notes=tuple(notes), listed=items.finish())


def _add(items: ImageListBuilder, name: str, path: str) -> None:
    items.add(printable(name), UNLABELLED, path=path)
