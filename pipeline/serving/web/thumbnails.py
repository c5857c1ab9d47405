"""Small pictures of stored images, where the images are still what they were."""

from __future__ import annotations

import io
import threading

from PIL import Image

from pipeline.cache import Entry
from pipeline.errors import PipelineError
from pipeline.images import ImageItem, ImageSource, open_images
from pipeline.images.contents import read_checked
from pipeline.images.decode import DecodeError
from pipeline.images.row_table import RowTable
from pipeline.images.shown import shown_square
from pipeline.memory import ShortageError
from pipeline.progress import say

SIDE = 128
QUALITY = 80


class Thumbnails:
    """Draws rows of a split from the source that they came from."""

    def __init__(self, entry: Entry, rows: RowTable) -> None:
        """Opens the source; where it is gone there are no pictures, which is said once.

        Args:
            entry: Says where the images are, and how they are read.
            rows: What is to be drawn.
        """
        self._rows = rows
        self._spec = entry.spec
        self._reading = threading.Lock()
        self._source: ImageSource | None = None
        self._items: dict[str, ImageItem] = {}
        try:
            self._source = open_images(entry.source, entry.source_options)
        except PipelineError as error:
            say(f"note: no pictures of the training images: {error}")
            return
        self._items = {item.id: item for item in self._source.items()}

    @property
    def there(self) -> bool:
        """Whether there are any pictures."""
        return bool(self._items)

    def draw(self, row: int) -> bytes | None:
        """Returns a JPEG as the base sees the image, a square; None where it is gone or has changed."""
        if not 0 <= row < len(self._rows):
            return None
        item = self._items.get(self._rows.ids[row])
        if item is None or self._source is None:
            return None
        try:
            with self._reading:
                data, _ = read_checked(self._source, item, self._rows.digests[row].tobytes())
            pixels = shown_square(data, self._spec, SIDE)
        except (OSError, DecodeError, MemoryError, ShortageError):  # the page can ask again
            return None
        picture = io.BytesIO()
        Image.fromarray(pixels).save(picture, "JPEG", quality=QUALITY)
        return picture.getvalue()
