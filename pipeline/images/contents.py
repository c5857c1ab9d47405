"""The contents of images: read and checked, and the SHA-256 of each, computed once per version of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.errors import reason_of
from pipeline.images import sequences
from pipeline.images.decode import DecodeError, as_decode_error
from pipeline.images.formats.deep import extremes_of
from pipeline.images.image_columns import ImagePlace
from pipeline.images.image_list import ImageList, list_images
from pipeline.images.pixel_range import Extremes, PixelCensus
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.images.source import ImageItem, ImageSource
from pipeline.images.stat_cache import Known, Stamps, StatCache
from pipeline.memory import with_room
from pipeline.progress import progress

_BLOCK = 4096  # images between two transactions of the stat cache
_TASK = 32  # images a thread takes at a time: handing over a task costs as much as reading a small file
_THREADS = 8  # more than cores, because on network storage threads mostly wait
_LONG = 2000  # images from which on progress is shown

_T = TypeVar("_T")


class ChangedError(OSError):
    """An image is another one than is meant.

    Attributes:
        digest: SHA-256 of what stands there now.
    """

    def __init__(self, digest: bytes) -> None:
        super().__init__("it has changed")
        self.digest = digest


def digest(image: bytes | np.ndarray) -> bytes:
    """Returns the SHA-256 (32 bytes) of a file's bytes, or of an array's dtype, shape and bytes."""
    if isinstance(image, np.ndarray):
        state = hashlib.sha256(f"{image.dtype.str}{image.shape}".encode())
        state.update(np.ascontiguousarray(image).data)
        return state.digest()
    return hashlib.sha256(image).digest()


def read_checked(
    source: ImageSource, item: ImageItem, expected: bytes | None
) -> tuple[bytes | np.ndarray, bytes]:
    """Reads an image, and makes sure that it is the one that is meant.

    Args:
        source: Reads the item.
        item: The image.
        expected: Its SHA-256; None = any content is welcome.

    Returns:
        The image as ``source.read`` returns it, and its SHA-256.

    Raises:
        ChangedError: Its SHA-256 is another.
        OSError: It cannot be read.
        ShortageError: The machine lacks memory or open files, which says nothing of the image.
    """
    data = with_room(partial(source.read, item), to=f"read {item.id!r}")
    found = digest(data)
    if expected is not None and found != expected:
        raise ChangedError(found)
    return data, found


def in_threads(
    work: Callable[[ImageItem], _T], items: Sequence[ImageItem], *, title: str
) -> Iterator[tuple[slice, list[_T]]]:
    """Does something with each image in threads, and shows the progress where there are many.

    Args:
        work: What is to be done.
        items: The images.
        title: What it is, for the progress.

    Yields:
        In order, block by block, which images were done and what came of each: where to keep results, so
        that not all is lost when the rest fails.
    """
    shown = progress(title, len(items), "images") if len(items) >= _LONG else nullcontext(lambda count: None)
    with shown as advance, ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(items), _BLOCK):
            block = items[start : start + _BLOCK]
            tasks = [block[first : first + _TASK] for first in range(0, len(block), _TASK)]
            results: list[_T] = []
            for done in pool.map(lambda task: [work(item) for item in task], tasks):
                results += done
                advance(len(done))
            yield slice(start, start + len(results)), results


def digest_items(
    source: ImageSource,
    items: Sequence[ImageItem],
    *,
    stat_cache: Path | None = None,
    census: PixelCensus | None = None,
) -> tuple[np.ndarray, dict[int, str]]:
    """Computes the digest of every image, reading only files that the stat cache does not know.

    Args:
        source: Reads the items.
        items: N images.
        stat_cache: SQLite file to consult and to extend; None = read everything.
        census: Takes up what the pixels of deep pictures reach to, where they can be decoded.

    Returns:
        uint8 (N, 32), zeros for what could not be read; and ``{position: reason}`` of those.

    Raises:
        ShortageError: The machine lacks memory or open files, which says nothing of an image.
    """
    items = list_images(items)
    digests = sequences.zeros((len(items), DIGEST_BYTES))
    failures: dict[int, str] = {}
    stamps, census = Stamps(), PixelCensus() if census is None else census
    with StatCache(stat_cache) as cache:
        missing = _recall(source, items, cache, digests, stamps, census)
        read = partial(_read, source, stamps=stamps)
        for block, reads in in_threads(read, items.take(missing), title="reading images"):
            fresh: dict[int, Known] = {}
            for position, found in zip(missing[block].tolist(), reads, strict=True):
                if isinstance(found, str):
                    failures[position] = found
                else:
                    fresh[position] = found
                    census.add(found.extremes)
            _put(digests, fresh)
            cache.store(fresh.values())
    return digests, failures


def forget_wrong(
    source: ImageSource, items: Sequence[ImageItem], digests: Mapping[str, bytes], *, stat_cache: Path
) -> list[ImageItem]:
    """Removes from the stat cache what it says of images that are as they were, and have another digest.

    Args:
        source: Reads the items.
        items: Images in doubt.
        digests: By the id of the image, the SHA-256 that was taken for its.
        stat_cache: SQLite file.

    Returns:
        The images that were misremembered. What has changed since, or cannot be read, is not among them.
    """
    stamps, wrong = Stamps(), []
    with StatCache(stat_cache) as cache:
        for item in items:
            kept = _as_it_is_now(source, item, stamps)
            if cache.look_up([kept]) == [digests[item.id]]:
                found = _read(source, item, stamps=stamps)
                if isinstance(found, Known) and found.digest != digests[item.id]:
                    cache.forget([kept])
                    wrong.append(item)
    return wrong


def known_digests(
    source: ImageSource, items: ImageList, *, stat_cache: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the stat cache knows of images; none of them is read.

    Returns:
        Digests, uint8 (N, 32), zeros where none is known; and the positions of those, int (n,).
    """
    digests = sequences.zeros((len(items), DIGEST_BYTES))
    with StatCache(stat_cache) as cache:
        return digests, _recall(source, items, cache, digests, Stamps(), PixelCensus())


def _recall(
    source: ImageSource,
    items: ImageList,
    cache: StatCache,
    digests: np.ndarray,
    stamps: Stamps,
    census: PixelCensus,
) -> np.ndarray:
    """Fills in what the stat cache knows; returns the positions that have to be read, int (n,)."""
    missing = np.ones(len(items), bool)
    for start in range(0, len(items), _BLOCK) if cache.is_there else ():
        places = items[start : start + _BLOCK].places()
        found = cache.recall([_as_it_is_now(source, place, stamps) for place in places])
        known = {start + i: one for i, one in enumerate(found) if one}
        for one in known.values():
            census.add(one.extremes)
        _put(digests, known)
        missing[list(known)] = False
    return np.flatnonzero(missing)


def _put(digests: np.ndarray, found: dict[int, Known]) -> None:
    if found:
        whole = b"".join(one.digest for one in found.values())
        digests[list(found)] = np.frombuffer(whole, np.uint8).reshape(-1, DIGEST_BYTES)


def _read(source: ImageSource, item: ImageItem, *, stamps: Stamps) -> Known | str:
    """Returns what is now known of an image, or why it cannot be read."""
    # What tells its version is asked before the content is read, so that a change in between shows next time.
    now = _as_it_is_now(source, item, stamps)
    try:
        return with_room(partial(_look, source, item, now), to=f"read {item.id!r}")
    except OSError as error:
        return reason_of(error)


def _look(source: ImageSource, item: ImageItem, now: Known) -> Known:
    data = source.read(item)
    return now._replace(digest=digest(data), extremes=_extremes(data))


def _extremes(data: bytes | np.ndarray) -> Extremes | None:
    """Looks at the pixels of a deep picture; one that cannot be decoded is told of where it is to be used."""
    try:
        with as_decode_error(data):
            return extremes_of(data)
    except DecodeError:
        return None


def _as_it_is_now(source: ImageSource, image: ImagePlace | ImageItem, stamps: Stamps) -> Known:
    """Says what tells an image's content from another one's, by one ``stat`` at most and no request."""
    if image.version is not None:
        # Shards have a root: the same image is known under every pattern that takes its shard.
        root = getattr(source, "root", source.uri)
        return Known(f"{root.rstrip('/')}/{image.id}", image.version)
    if image.path is None:
        return Known(image.id, None)
    try:
        return Known(str(image.path), stamps.of(image.path))
    except OSError:
        return Known(str(image.path), None)
