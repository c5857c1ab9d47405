"""Images as a caller gives them: paths, bytes, Pillow images and arrays, as one image source."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, ImageItem, ImageSource, LeftOut
from pipeline.images.image_list import ImageListBuilder
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import claiming, open_source
from pipeline.images.sources import folder as folders
from pipeline.images.sources._files import FileSource
from pipeline.images.sources._storage import LocalStorage
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable
from pipeline.paths import expanded

Given = str | Path | bytes | Image.Image | np.ndarray
"""A file, a folder of files, an encoded image, a Pillow image, or uint8 (H, W, 3) or (N, H, W, 3), RGB."""
Held = bytes | Image.Image | np.ndarray


_FILES = FileSource(uri="", name="files", classes=(), notes=(), listed=())


@dataclass(frozen=True)
class GivenImages:
    """Images that are files, and images that are in memory; see :class:`pipeline.images.ImageSource`.

    Attributes:
        listed: All images, in the order in which they were given.
        held: What is in memory, by id.
        left_out: What stands in the folders and is no image.
    """

    classes: ClassVar[tuple[str, ...]] = ()
    notes: ClassVar[tuple[str, ...]] = ()
    listed: Sequence[ImageItem]
    held: Mapping[str, Held]
    left_out: tuple[LeftOut, ...] = ()
    name: str = "images"
    _opening: threading.Lock = field(default_factory=threading.Lock, init=False, compare=False)

    @property
    def uri(self) -> str:
        """No address: nothing can open these images again."""
        return f"given:{self.name}"

    def items(self) -> Sequence[ImageItem]:
        """Returns all images."""
        return self.listed

    def read(self, item: ImageItem) -> bytes | np.ndarray:
        """Returns an encoded file, or pixels.

        Raises:
            OSError: The image cannot be read.
        """
        if item.path is not None:
            return _FILES.read(item)
        held = self.held[item.id]
        if not isinstance(held, Image.Image):
            return held
        with self._opening:  # Pillow reads a file when it is first asked for pixels: not in two threads
            return _pixels(held)


def gather_images(images: Given | Iterable[Given], *, split: str | None = None) -> GivenImages:
    """Lists images without labels, in the order in which they are given.

    A file that is named is taken whatever its name ends in. Folders are walked as the folder source does:
    names decide, or the first bytes where they say nothing, and hidden files are passed over.

    Args:
        images: One or several, mixed as one likes. One string is one path.
        split: The split that all of them are in; None = none is stated.

    Returns:
        A source whose files are named as the user would name them, and the others by their place,
        ``images[3]`` or ``images[3][0]``.

    Raises:
        UsageError: There is no such file, a folder cannot be listed, something is no image, or there is no
            image anywhere.
    """
    given: Sequence[Given] = [images] if isinstance(images, Given) else list(images)
    items = ImageListBuilder()
    held: dict[str, Held] = {}
    left_out: list[LeftOut] = []
    for place, one in enumerate(given):
        if isinstance(one, str | Path):
            for shown, path in _files(str(expanded(one)), left_out):
                items.add(shown, UNLABELLED, split=split, path=path)
            continue
        for name, image in _in_memory(f"images[{place}]", one):
            items.add(name, UNLABELLED, split=split)
            held[name] = image
    if not len(items):
        where = ", ".join(repr(str(one)) for one in given[:3] if isinstance(one, str | Path)) or "nothing"
        raise UsageError(f"no image in {where}: give image files, or folders with images in them")
    return GivenImages(items.finish(), held, tuple(left_out))


def open_or_gather(places: Sequence[str]) -> ImageSource:
    """Opens what a user points at: files and folders without labels, or one source of another kind.

    That is a table, arrays, tar shards, a folder in a remote store, or one of packed images, as
    :func:`pipeline.images.open_images` takes them; what they say of labels and splits is of no consequence.

    Raises:
        UsageError: A source stands beside other places, or cannot be opened; or as :func:`gather_images`.
    """
    claimed = [(place, kind) for place in places if (kind := claiming(place)) not in (None, folders)]
    if not claimed:
        return gather_images(places)
    place, kind = claimed[0]
    if len(places) > 1:
        raise UsageError(f"{place!r} holds images of its own: give it alone, without other places")
    needs_none = "label_column" in kind.OPTIONS  # which a table of new images has no use for
    return open_source(place, SourceOptions(label_column="none") if needs_none else None)


def _files(place: str, left_out: list[LeftOut]) -> Iterator[tuple[str, str]]:
    """Yields the images at a place, each by its name as it is shown and its path."""
    if not os.path.lexists(place):
        raise UsageError(f"{place!r} does not exist: give image files, or folders of images")
    if not os.path.isdir(place):
        yield printable(place), place
        return
    walker = Walker(LocalStorage(os.path.realpath(place)))
    for folder, names in walker.images(""):
        for name in names:
            path = os.path.join(folder, name)
            yield printable(os.path.join(place, path)), os.path.join(walker.root, path)
    left_out += walker.omissions.left_out()


def _in_memory(name: str, image: object) -> Iterator[tuple[str, Held]]:
    if isinstance(image, bytes | Image.Image):
        yield name, image
        return
    if not isinstance(image, np.ndarray):
        raise UsageError(
            f"{name} is of type {type(image).__name__}: give paths, bytes, Pillow images, or uint8 arrays "
            "(H, W, 3) or (N, H, W, 3)"
        )
    if image.dtype != np.uint8 or image.ndim not in (3, 4) or image.shape[-1] != 3:
        raise UsageError(
            f"{name} is {image.dtype} {image.shape}: give uint8 arrays (H, W, 3) or (N, H, W, 3), RGB"
        )
    if image.ndim == 3:
        yield name, image
    else:
        yield from ((f"{name}[{i}]", one) for i, one in enumerate(image))


def _pixels(image: Image.Image) -> np.ndarray:
    """Returns the pixels of a Pillow image, turned as its EXIF data says, in a form that decoding takes."""
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image if image.mode in ("L", "RGB", "I;16", "I", "F") else image.convert("RGB"))
