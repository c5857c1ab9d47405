"""Thumbnails: small pictures of rows, read from the source and put into the page itself."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from PIL import Image, features

from pipeline.counts import verb
from pipeline.images import ImageItem, ImageSource
from pipeline.images.decode import DecodeError, decode
from pipeline.images.digests import digest
from pipeline.images.pixel_range import PixelRange
from pipeline.memory import with_room

SHEET = 1024
"""Most pictures on one sheet: at 96 pixels a picture, 28 MB when decoded, which a phone can hold."""
THREADS = 4
GONE, CHANGED = "gone", "changed"
FORMAT = "WEBP" if features.check("webp") else "JPEG"


class Album:
    """Reads pictures by the id of their row, and counts those that cannot be shown.

    A picture whose bytes are no longer those that the features were computed from is not shown: beside
    that row's prediction it would mislead.

    Attributes:
        failures: What could not be shown: ``gone`` or ``changed`` by id.
    """

    def __init__(
        self,
        images: ImageSource | None,
        digests: Mapping[str, bytes],
        pixel_range: PixelRange | None = None,
    ) -> None:
        """Finds the images of the rows.

        Args:
            images: Reads the images; None where they are gone.
            digests: SHA-256 of each row's image by id; an id that is not in it is not checked.
            pixel_range: Black and white of pixels deeper than 8 bits.
        """
        self.failures: dict[str, str] = {}
        self._images = images
        self._digests = digests
        self._pixel_range = pixel_range
        self._items: dict[str, ImageItem] = {item.id: item for item in images.items()} if images else {}

    def read(self, ids: Sequence[str], *, size: int) -> dict[str, np.ndarray]:
        """Decodes pictures in threads.

        Returns:
            uint8 (size, size, 3) by id, without those that cannot be shown.
        """
        if self._images is None:
            return {}
        unique = list(dict.fromkeys(ids))
        pool = ThreadPoolExecutor(THREADS)
        try:
            pictures = pool.map(lambda name: self._read(name, size), unique)
            found = dict(zip(unique, pictures, strict=True))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C need not wait for thousands of pictures
        self.failures |= {name: what for name, what in found.items() if isinstance(what, str)}
        return {name: what for name, what in found.items() if not isinstance(what, str)}

    @property
    def note(self) -> str:
        """Says once which pictures are not there; empty where all are."""
        if self._images is None:
            return "The images are no longer where they were, so this page shows no pictures."
        counts = {kind: sum(one == kind for one in self.failures.values()) for kind in (GONE, CHANGED)}
        parts = []
        if counts[GONE]:
            parts.append(f"{counts[GONE]:,} {verb(counts[GONE])} gone or cannot be read")
        if counts[CHANGED]:
            were = verb(counts[CHANGED], "was", "were")
            parts.append(f"{counts[CHANGED]:,} {were} changed after the features were computed")
        return f"Some pictures are not shown: {' and '.join(parts)}." if parts else ""

    def _read(self, name: str, size: int) -> np.ndarray | str:
        item = self._items.get(name)
        if item is None:
            return GONE
        try:
            data = with_room(partial(self._images.read, item), to=f"read {item.id!r}")
            if self._digests.get(name) not in (None, digest(data)):
                return CHANGED
            return decode(data, size, self._pixel_range)
        except (OSError, DecodeError):
            return GONE


def encode(picture: np.ndarray, *, quality: int = 75) -> str:
    """Returns uint8 (height, width, 3) as a ``data:`` address."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, FORMAT, quality=quality)
    return f"data:image/{FORMAT.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def sheets(pictures: Iterable[np.ndarray], *, size: int) -> list[str]:
    """Lays many pictures on few sheets, row by row, which takes a fraction of the bytes of single files.

    Args:
        pictures: uint8 (size, size, 3) each.
        size: Their side in pixels.

    Returns:
        ``data:`` addresses of sheets of ``SHEET`` pictures, 32 a row; the last may hold fewer.
    """
    columns = math.isqrt(SHEET)
    found = []
    waiting = iter(pictures)
    while batch := list(itertools.islice(waiting, SHEET)):
        rows = math.ceil(len(batch) / columns)
        sheet = np.full((rows * size, columns * size, 3), 127, np.uint8)
        for i, picture in enumerate(batch):
            top, left = i // columns * size, i % columns * size
            sheet[top : top + size, left : left + size] = picture
        found.append(encode(sheet, quality=60))
    return found
