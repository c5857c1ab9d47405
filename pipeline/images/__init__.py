"""Images in: sources that list and read images, decoding, and stable splits."""

from __future__ import annotations

import os

from pipeline.images.source import (
    SPLITS,
    UNLABELLED,
    BadImage,
    ImageItem,
    ImageSource,
    LeftOut,
    remarks_on,
)
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import open_source
from pipeline.paths import with_home

__all__ = [
    "SPLITS",
    "UNLABELLED",
    "BadImage",
    "ImageItem",
    "ImageSource",
    "LeftOut",
    "open_images",
    "remarks_on",
]


def open_images(uri: str | os.PathLike[str], options: SourceOptions | None = None) -> ImageSource:
    """Opens an image source: the first module of ``images/sources`` that claims the address.

    Example:
        >>> open_images("photos/").classes

    Args:
        uri: ``builtin:digits``, ``keras:cifar10``, ``hf:mnist``, a folder here or far away
            (``s3://bucket/photos``), a ``.csv``/``.tsv``/``.jsonl``/``.parquet`` table, an ``.npz`` file, tar
            shards (``photos-{000..099}.tar``).
        options: How it is to be read, where its layout leaves that open.

    Returns:
        The source: its classes, its images with labels and splits, and how each is read.

    Raises:
        UsageError: Nothing claims the address, what stands there is no usable image source, or an option
            means nothing there.
    """
    return open_source(with_home(os.fspath(uri)), options)
