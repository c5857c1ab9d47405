"""Loading images: threads read, check and decode batches ahead, while the base computes."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.shards import ShardName
from pipeline.errors import CacheMismatchError, UnreadableFileError, UsageError, reason_of
from pipeline.extraction.augment import Augmentation, augmented_view
from pipeline.extraction.engines import Engine
from pipeline.extraction.timing import Timings
from pipeline.images import BadImage, ImageItem, ImageSource
from pipeline.images.contents import ChangedError, read_checked
from pipeline.images.decode import DecodeError, decode_with_remark
from pipeline.images.manifest import Manifest
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import Resize, find_resize
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.memory import with_room

BATCHES_AHEAD = 3


def known_failures(entry: Entry, shards: Iterable[ShardName]) -> list[BadImage]:
    """Lists the bad contents that published files record; files that cannot be read record none."""
    known: list[BadImage] = []
    for shard in shards:
        with contextlib.suppress(CacheMismatchError, UnreadableFileError, UsageError):
            header = open_feature_file(entry.file(shard.name)).header
            known += [BadImage(**record) for record in header.skipped if _is_of_content(record)]
    return known


def _is_of_content(record: Mapping[str, str]) -> bool:
    """Tells whether an image is at fault itself; earlier versions blamed it where the memory was short."""
    reason = record["reason"]
    doubtful = "MemoryError" in reason or "out of memory" in reason
    return bool(record["digest"]) and not doubtful


def with_copies(failures: Collection[BadImage], manifest: Manifest) -> list[BadImage]:
    """Lists failures by file, and for each bad content all images of the source that have it."""
    reasons = {failure.digest: failure.reason for failure in failures if failure.digest}
    beginnings = np.array([int(digest[:16], 16) for digest in reasons], np.uint64)
    copies: list[BadImage] = []
    for rows in manifest.splits.values() if reasons else ():
        first_eight = np.ascontiguousarray(rows.digests[:, :8]).view(">u8").reshape(-1)
        for row in np.flatnonzero(np.isin(first_eight.astype(np.uint64), beginnings)):
            digest = rows.digests[row].tobytes().hex()
            if digest in reasons:
                copies.append(BadImage(rows.ids[int(row)], reasons[digest], digest))
    return [failure for failure in failures if not failure.digest] + copies


@dataclass(frozen=True, eq=False)
class Batch:
    """Decoded images for one forward pass.

    Attributes:
        images: uint8 (batch size, size, size, 3); rows beyond ``len(loaded)`` and failed ones are zeros.
        loaded: bool (n,), which of the n wanted images are there.
        failures: One for each that is not.
        digests: uint8 (n, 32), SHA-256 of each image; zeros where it could not be read.
        remarks: What the pixel range costs an image, by its position; most have none.
        seconds: Time spent in the steps ``read``, ``decode`` and ``image_cpu``.
    """

    images: np.ndarray
    loaded: np.ndarray
    failures: list[BadImage]
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
        resize: Name of what resizes, see ``find_resize``.
        geometry: Which part of a picture is shown to the base, see ``Geometry``.
        pixel_range: Black and white of pixels deeper than 8 bits; None where the set has none.
    """

    source: ImageSource
    items: Sequence[ImageItem]
    digests: np.ndarray | None
    views: np.ndarray
    augmentation: Augmentation
    image_size: int
    batch_size: int
    resize: str
    geometry: str = ""
    pixel_range: PixelRange | None = None

    def load(self, rows: np.ndarray) -> Batch:
        """Loads wanted rows, int (n,) with n <= batch size; a bad image fails alone.

        Raises:
            ShortageError: The machine lacks memory or open files, which says nothing of an image.
            UsageError: This machine lacks what resizes.
        """
        resize = find_resize(self.resize, self.geometry)
        images = np.empty((self.batch_size, self.image_size, self.image_size, 3), np.uint8)
        loaded = np.zeros(len(rows), bool)
        digests = np.zeros((len(rows), DIGEST_BYTES), np.uint8)
        failures: list[BadImage] = []
        timings, started = Timings(), time.thread_time()
        remarks: dict[int, str] = {}
        previous, pixels, found, remark = None, None, b"", ""
        for position, row in enumerate(rows):
            item = self.items[row]
            # The views of an image follow it and are made of the same pixels; a user may name a file twice.
            if self.views[row] == 0 or item != previous:
                previous, pixels, found, remark = item, *self._pixels(item, row, resize, failures, timings)
            if found:
                digests[position] = np.frombuffer(found, np.uint8)
            if pixels is not None:
                with timings.step("decode"):
                    view = int(self.views[row])
                    images[position] = augmented_view(pixels, self.augmentation, digest=found, view=view)
                loaded[position] = True
                if remark:
                    remarks[position] = remark
        images[: len(rows)][~loaded] = 0
        images[len(rows) :] = 0
        timings.add({"image_cpu": time.thread_time() - started})
        return Batch(images, loaded, failures, digests, remarks, dict(timings.seconds))

    def _pixels(
        self, item: ImageItem, row: int, resize: Resize, failures: list[BadImage], timings: Timings
    ) -> tuple[np.ndarray | None, bytes, str]:
        """Reads and decodes one image: pixels or None where that fails, digest if read, and a remark."""
        found = b""
        expected = None if self.digests is None else self.digests[row].tobytes()
        try:
            with timings.step("read"):
                data, found = read_checked(self.source, item, expected)
            with timings.step("decode"):
                work = partial(decode_with_remark, data, self.image_size, self.pixel_range, resize)
                pixels, remark = with_room(work, to=f"decode {item.id!r}")
                return pixels, found, remark
        except ChangedError as error:
            found = error.digest
            reason = "it changed while stage one was running: run the same command again"
            failures.append(BadImage(item.id, reason))
        except OSError as error:
            failures.append(BadImage(item.id, reason_of(error)))
        except DecodeError as error:
            failures.append(BadImage(item.id, str(error), found.hex()))
        return None, found, ""


def feature_batches(
    wanted: Sequence[np.ndarray], *, loader: Loader, engine: Engine, threads: int, timings: Timings
) -> Iterator[tuple[Batch, Sequence[np.ndarray]]]:
    """Computes features batch by batch, in order.

    Args:
        wanted: Per batch, the rows that the loader is to load, int (n,) with n <= batch size.
        loader: Reads and decodes the images of the rows.
        engine: Runs the base.
        threads: Decoding threads.
        timings: Collects the seconds of each step.

    Yields:
        The loaded batch, and per cut its features, (batch size, *feature shape) in the stored dtype; rows
        that are not loaded hold nothing of use.

    Raises:
        BatchTooLargeError: The memory does not suffice.
    """
    batches = timings.waiting_for("wait_images", load_ahead(wanted, loader, threads))
    for batch, features in _run_ahead(batches, engine, timings):
        timings.add(batch.seconds)
        yield batch, features


def load_ahead(wanted: Sequence[np.ndarray], loader: Loader, threads: int) -> Iterator[Batch]:
    """Yields loaded batches in order while the next ones are being loaded; only a few are in memory."""
    # joblib's generator is not used: its workers run on while nobody takes what they made.
    pool = ThreadPoolExecutor(threads, "load")
    try:
        ahead: deque[Future[Batch]] = deque()
        for rows in wanted:
            ahead.append(pool.submit(loader.load, rows))
            if len(ahead) >= threads + BATCHES_AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _run_ahead(
    loaded: Iterable[Batch], engine: Engine, timings: Timings
) -> Iterator[tuple[Batch, Sequence[np.ndarray]]]:
    """Runs the base ahead of fetching, so that a device computes while the host copies."""
    ahead: deque[tuple[Batch, Any]] = deque()
    for batch in loaded:
        with timings.step("forward"):
            ahead.append((batch, engine.submit(batch.images)))
        if len(ahead) > engine.ahead:
            yield _fetched(*ahead.popleft(), engine, timings)
    while ahead:
        yield _fetched(*ahead.popleft(), engine, timings)


def _fetched(
    batch: Batch, pending: Any, engine: Engine, timings: Timings
) -> tuple[Batch, Sequence[np.ndarray]]:
    with timings.step("forward"):
        return batch, engine.fetch(pending)
