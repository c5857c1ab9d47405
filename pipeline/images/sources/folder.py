"""A folder of images: ``root/<split>/<class>/image.jpg`` or ``root/<class>/image.jpg``."""

from __future__ import annotations

import os

from pipeline.errors import UsageError
from pipeline.images.image_list import ImageListBuilder
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._files import FileSource, existing
from pipeline.images.sources._folder_names import LAYOUT
from pipeline.images.sources._left_out import Patterns
from pipeline.images.sources._packed_folders import is_packed_folder
from pipeline.images.sources._storage import LocalStorage
from pipeline.images.sources._unlabelled_images import images_of_tree
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable

ADDRESS = "a folder (root/train/cats/1.jpg or root/cats/1.jpg)"

OPTIONS: tuple[str, ...] = ("label_column", "follow_links", "leave_out")


def claims(uri: str) -> bool:
    """Tells whether the address is a folder, and none of images that are packed into a few files."""
    return os.path.isdir(os.path.expanduser(uri)) and not is_packed_folder(uri)


def open_uri(uri: str, options: SourceOptions) -> FileSource:
    """Lists the images of a folder; see ``_folder_layout.py`` for what its folders mean.

    Raises:
        UsageError: The folder is missing, empty, or laid out differently.
    """
    root = existing(uri)
    if not root.is_dir():
        raise UsageError(f"{root} is a file, not a folder of images: expected {LAYOUT} below a folder")
    walker = Walker(LocalStorage(str(root), options.follow_links), Patterns(options.leave_out))
    images = images_of_tree(walker, options)
    listed = ImageListBuilder(root=root)
    for path, split, label in images:
        listed.add(printable(path), label, split=split, path=os.path.join(root, path))
    return FileSource(
        uri=str(root),
        name=printable(root.name) or "images",
        classes=images.classes,
        notes=images.notes(),
        listed=listed.finish(labels=images.labels),
        left_out=walker.omissions.left_out(),
    )
