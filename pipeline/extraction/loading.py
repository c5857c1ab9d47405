"""Loading batches: read, check against the digest, decode. Runs in threads, ahead of the forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.extraction.augment import Augmentation, augmented_view
from pipeline.extraction.timing import Timings
from pipeline.images import ImageItem, ImageSource
from pipeline.images.decode import DecodeError, decode
from pipeline.images.digests import digest


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
        seconds: Time spent in the steps ``read`` and ``decode``.
    """

    images: np.ndarray
    loaded: np.ndarray
    failures: list[Failure]
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Loader:
    """Loads the images behind wanted rows.

    Attributes:
        source: Where they are read.
        items: Per wanted row, its image.
        digests: uint8 (G, 32), per wanted row, SHA-256 of the image it was planned for.
        views: uint8 (G,), per wanted row, the number of its augmented view; 0 = the image itself.
        augmentation: How views are drawn.
        image_size: Height and width in pixels.
        batch_size: Images in a batch.
    """

    source: ImageSource
    items: Sequence[ImageItem]
    digests: np.ndarray
    views: np.ndarray
    augmentation: Augmentation
    image_size: int
    batch_size: int

    def load(self, rows: np.ndarray) -> Batch:
        """Loads wanted rows, int (n,) with n <= batch size; a bad image fails alone."""
        images = np.zeros((self.batch_size, self.image_size, self.image_size, 3), np.uint8)
        loaded = np.zeros(len(rows), bool)
        failures: list[Failure] = []
        timings = Timings()
        previous, pixels = None, None
        for position, row in enumerate(rows):
            item, wanted = self.items[row], self.digests[row].tobytes()
            if item is not previous:  # the views of an image stand together: it is decoded once
                previous, pixels = item, self._pixels(item, wanted, failures, timings)
            if pixels is not None:
                with timings.step("decode"):
                    view = int(self.views[row])
                    images[position] = augmented_view(pixels, self.augmentation, digest=wanted, view=view)
                loaded[position] = True
        return Batch(images, loaded, failures, dict(timings.seconds))

    def _pixels(
        self, item: ImageItem, wanted: bytes, failures: list[Failure], timings: Timings
    ) -> np.ndarray | None:
        """Reads and decodes one image; None where that fails."""
        try:
            with timings.step("read"):
                data = self.source.read(item)
                if digest(data) != wanted:
                    raise OSError("it changed while stage one was running: run the same command again")
            with timings.step("decode"):
                return decode(data, self.image_size)
        except OSError as error:
            failures.append(Failure(item.id, error.strerror or str(error)))
        except DecodeError as error:
            failures.append(Failure(item.id, str(error), wanted.hex()))
        return None
