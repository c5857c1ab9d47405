"""Loading batches: read, check against the digest, decode. Runs in threads, ahead of the forward pass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

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
        image_size: Height and width in pixels.
        batch_size: Images in a batch.
    """

    source: ImageSource
    items: Sequence[ImageItem]
    digests: np.ndarray
    image_size: int
    batch_size: int

    def load(self, rows: np.ndarray) -> Batch:
        """Loads wanted rows, int (n,) with n <= batch size; a bad image fails alone."""
        images = np.zeros((self.batch_size, self.image_size, self.image_size, 3), np.uint8)
        loaded = np.zeros(len(rows), bool)
        failures = []
        seconds = {"read": 0.0, "decode": 0.0}
        for position, row in enumerate(rows):
            item = self.items[row]
            started = time.perf_counter()
            try:
                data = self.source.read(item)
                if digest(data) != self.digests[row].tobytes():
                    raise OSError("it changed while stage one was running: run the same command again")
                read = time.perf_counter()
                seconds["read"] += read - started
                images[position] = decode(data, self.image_size)
                seconds["decode"] += time.perf_counter() - read
                loaded[position] = True
            except OSError as error:
                failures.append(Failure(item.id, error.strerror or str(error)))
            except DecodeError as error:
                failures.append(Failure(item.id, str(error), self.digests[row].tobytes().hex()))
        return Batch(images, loaded, failures, seconds)
