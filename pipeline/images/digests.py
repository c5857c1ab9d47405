"""Digests: the SHA-256 of every image of a source, computed once per version of a file."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import reason_of
from pipeline.images import sequences
from pipeline.images.decode import DecodeError, as_decode_error
from pipeline.images.formats.deep import extremes_of
from pipeline.images.image_list import ImageList, Place
from pipeline.images.listing import list_images
from pipeline.images.pixel_range import Extremes, PixelCensus
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.images.source import ImageItem, ImageSource
from pipeline.images.stat_cache import Known, Stamps, StatCache
from pipeline.memory import with_room
from pipeline.progress import Advance, progress

_BLOCK = 4096  # images between two transactions of the stat cache
_TASK = 32  # images a thread reads at a time: handing over a task costs as much as reading a small file
_THREADS = 8  # more than cores, because on network storage threads mostly wait
_LONG = 2000  # images from which on progress is shown


def digest(image: bytes | np.ndarray) -> bytes:
    """Returns the SHA-256 (32 bytes) of a file's bytes, or of an array's dtype, shape and bytes."""
    if isinstance(image, np.ndarray):
        state = hashlib.sha256(f"{image.dtype.str}{image.shape}".encode())
        state.update(np.ascontiguousarray(image).data)
        return state.digest()
    return hashlib.sha256(image).digest()


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
        shown = progress("reading images", len(missing), "images") if len(missing) >= _LONG else _silent()
        with shown as advance, ThreadPoolExecutor(_THREADS) as pool:
            for block in _cut(missing, _BLOCK):
                fresh: list[Known] = []
                found: dict[int, bytes] = {}
                tasks = _cut(list(zip(block.tolist(), items[block], strict=True)), _TASK)
                results = pool.map(lambda task: [_read(source, item, stamps) for _, item in task], tasks)
                for task, reads in zip(tasks, results, strict=True):
                    for (i, _), read in zip(task, reads, strict=True):
                        if read.known is None:
                            failures[i] = read.reason
                        else:
                            found[i] = read.known.digest
                            fresh.append(read.known)
                            census.add(read.known.extremes)
                    advance(len(task))
                _put(digests, found)
                cache.store(fresh)
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
                read = _read(source, item, stamps)
                if read.known is not None and read.known.digest != digests[item.id]:
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


class _Read(NamedTuple):
    """What one read came to: what is now known of the image, or the reason why that is nothing."""

    known: Known | None
    reason: str = ""


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
    for block in _cut(range(len(items)), _BLOCK) if cache.is_there else ():
        places = items[block.start : block.stop].places()
        found = cache.recall([_as_it_is_now(source, place, stamps) for place in places])
        known = {i: one.digest for i, one in zip(block, found, strict=True) if one}
        for one in found:
            census.add(one.extremes if one else None)
        _put(digests, known)
        missing[list(known)] = False
    return np.flatnonzero(missing)


def _put(digests: np.ndarray, found: dict[int, bytes]) -> None:
    if found:
        digests[list(found)] = np.frombuffer(b"".join(found.values()), np.uint8).reshape(-1, DIGEST_BYTES)


def _read(source: ImageSource, item: ImageItem, stamps: Stamps) -> _Read:
    # What tells its version is asked before the content is read, so that a change in between shows next time.
    now = _as_it_is_now(source, item, stamps)
    try:
        return _Read(with_room(partial(_look, source, item, now), to=f"read {item.id!r}"))
    except OSError as error:
        return _Read(None, reason=reason_of(error))


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


def _as_it_is_now(source: ImageSource, image: Place | ImageItem, stamps: Stamps) -> Known:
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


def _cut(positions: Sequence[int], length: int) -> list[Sequence[int]]:
    return [positions[start : start + length] for start in range(0, len(positions), length)]


@contextlib.contextmanager
def _silent() -> Iterator[Advance]:
    yield lambda count: None
