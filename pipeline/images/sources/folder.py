"""A folder of images: ``root/<split>/<class>/image.jpg`` or ``root/<class>/image.jpg``."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images import ImageItem
from pipeline.images.listing import ImageList
from pipeline.images.sources._files import FileSource, existing
from pipeline.images.sources._layout import LAYOUT, read_layout
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable

ADDRESS = "a folder (root/train/cats/1.jpg or root/cats/1.jpg)"


def claims(uri: str) -> bool:
    """Tells whether the address is a folder."""
    return os.path.isdir(os.path.expanduser(uri))


def open_uri(uri: str) -> FileSource:
    """Lists the images of a folder; see ``read_layout`` for what its folders mean.

    Raises:
        UsageError: The folder is missing, empty, or laid out differently.
    """
    root = existing(uri)
    if not root.is_dir():
        raise UsageError(f"{root} is a file, not a folder of images: expected {LAYOUT} below a folder")
    laid = read_layout(Walker(str(root)))
    items = (
        ImageItem(
            id=printable(image.path), label=image.label, split=image.split, path=Path(f"{root}/{image.path}")
        )
        for image in laid.images()
    )
    listed = ImageList.of(items, root=root)
    return FileSource(
        uri=str(root),
        name=printable(root.name) or "images",
        classes=laid.classes,
        notes=laid.notes(),
        listed=listed,
    )
