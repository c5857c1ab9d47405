"""Loading batches: read, check against the digest, decode. Runs in threads, ahead of the forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from pipeline.extraction.augment import Augmentation, augmented_view
from pipeline.extraction.timing import Timings
from pipeline.images import ImageItem, ImageSource
from pipeline.images.decode import DecodeError, decode_with_remark
from pipeline.images.digests import digest
from pipeline.images.pixel_range import PixelRange
from pipeline.images.rows import DIGEST_BYTES
from pipeline.memory import with_room


@dataclass(frozen=True)
class Failure:
    """An image that gave no features.

    Attributes:
        id: Its name in the source.
        reason: Why, in a few words.
        digest: SHA-256 of the image in hex where its content is at fault; empty where the file could not be
            read, which may pass.
    """

    id: str
    reason: str
    digest: str = ""


@dataclass(frozen=True, eq=False)
class Batch:
    """Decoded images for one forward pass.

    Attributes:
        images: uint8 (batch size, size, size, 3); rows beyond ``len(loaded)`` and failed ones are zeros.
        loaded: bool (n,), which of the n wanted images are there.
        failures: One for each that is not.
        digests: uint8 (n, 32), SHA-256 of each image; zeros where it could not be read.
        remarks: What the pixel range costs an image, by its position; most have none.
        seconds: Time spent in the steps ``read`` and ``decode``.
    """

    images: np.ndarray
    loaded: np.ndarray
    failures: list[Failure]
    digests: np.ndarray
    remarks: dict[int, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Loader:
    """Loads the images behind wanted rows.

    Attributes:
        source: Where they are read.
        items: Per wanted row, its image.
        digests: uint8 (G, 32), per wanted row, SHA-256 of the image it was planned for; None where any
            content is welcome.
        views: uint8 (G,), per wanted row, the number of its augmented view; 0 = the image itself.
        augmentation: How views are drawn.
        image_size: Height and width in pixels.
        batch_size: Images in a batch.
        pixel_range: Black and white of pixels deeper than 8 bits; None where the set has none.
    """

    source: ImageSource
    items: Sequence[ImageItem]
    digests: np.ndarray | None
    views: np.ndarray
    augmentation: Augmentation
    image_size: int
    batch_size: int
    pixel_range: PixelRange | None = None

    def load(self, rows: np.ndarray) -> Batch:
        """Loads wanted rows, int (n,) with n <= batch size; a bad image fails alone.

        Raises:
            ShortageError: The machine lacks memory or open files, which says nothing of an image.
        """
        images = np.zeros((self.batch_size, self.image_size, self.image_size, 3), np.uint8)
        loaded = np.zeros(len(rows), bool)
        digests = np.zeros((len(rows), DIGEST_BYTES), np.uint8)
        failures: list[Failure] = []
        timings = Timings()
        remarks: dict[int, str] = {}
        previous, pixels, found, remark = None, None, b"", ""
        for position, row in enumerate(rows):
            item = self.items[row]
            # The views of an image follow it and are made of the same pixels; a user may name a file twice.
            if self.views[row] == 0 or item != previous:
                previous, pixels, found, remark = item, *self._pixels(row, failures, timings)
            if found:
                digests[position] = np.frombuffer(found, np.uint8)
            if pixels is not None:
                with timings.step("decode"):
                    view = int(self.views[row])
                    images[position] = augmented_view(pixels, self.augmentation, digest=found, view=view)
                loaded[position] = True
                if remark:
                    remarks[position] = remark
        return Batch(images, loaded, failures, digests, remarks, dict(timings.seconds))

    def _pixels(
        self, row: int, failures: list[Failure], timings: Timings
    ) -> tuple[np.ndarray | None, bytes, str]:
        """Reads and decodes one image: pixels or None where that fails, digest if read, and a remark."""
        item, found = self.items[row], b""
        try:
            with timings.step("read"):
                data = with_room(partial(self.source.read, item), to=f"read {item.id!r}")
                found = digest(data)
                if self.digests is not None and found != self.digests[row].tobytes():
                    raise OSError("it changed while stage one was running: run the same command again")
            with timings.step("decode"):
                work = partial(decode_with_remark, data, self.image_size, self.pixel_range)
                pixels, remark = with_room(work, to=f"decode {item.id!r}")
                return pixels, found, remark
        except OSError as error:
            failures.append(Failure(item.id, error.strerror or str(error)))
        except DecodeError as error:
            failures.append(Failure(item.id, str(error), found.hex()))
        return None, found, ""
