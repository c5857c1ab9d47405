"""The images that a user points at: files in any order, and folders with all that is below them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, LeftOut
from pipeline.images.listing import ImageListBuilder
from pipeline.images.sources._files import FileSource
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable
from pipeline.paths import expanded


def gather_images(places: Sequence[str | Path]) -> FileSource:
    """Lists images without labels, in the order of the places; folders as the folder source walks them.

    A file that is named is taken whatever its name ends in; in folders its name decides, or its first bytes
    where that says nothing, and hidden files are passed over.

    Args:
        places: Files and folders.

    Returns:
        A source whose items are named as the user would name them.

    Raises:
        UsageError: There is no such file, a folder cannot be listed, or there is no image anywhere.
    """
    items = ImageListBuilder()
    left_out: list[LeftOut] = []
    for place in map(str, map(expanded, places)):
        if not os.path.lexists(place):
            raise UsageError(f"{place!r} does not exist: give image files, or folders of images")
        if os.path.isdir(place):
            walker = Walker(os.path.realpath(place))
            for folder, names in walker.images(""):
                for name in names:
                    path = os.path.join(folder, name)
                    _add(items, os.path.join(place, path), os.path.join(walker.root, path))
            left_out += walker.omissions.left_out()
        else:
            _add(items, place, place)
    if not len(items):
        where = ", ".join(map(repr, map(str, places[:3]))) or "nothing"
        raise UsageError(f"no image in {where}: give image files, or folders with images in them")
    return FileSource(
        uri="", name="images", classes=(), notes=(), listed=items.finish(), left_out=tuple(left_out)
    )


def _add(items: ImageListBuilder, name: str, path: str) -> None:
    items.add(printable(name), UNLABELLED, path=path)
