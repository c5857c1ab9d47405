"""Digests: the SHA-256 of every image of a source, computed once per version of a file."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.images import ImageItem, ImageSource, spill
from pipeline.images._columns import Place
from pipeline.images.image_list import ImageList
from pipeline.images.listing import list_images
from pipeline.images.rows import DIGEST_BYTES
from pipeline.images.stat_cache import Known, Remote, Stamp, StatCache
from pipeline.progress import Advance, progress

_BLOCK = 4096  # images between two transactions of the stat cache
_TASK = 32  # images a thread reads at a time: handing over a task costs as much as reading a small file
_THREADS = 8  # more than cores, because on network storage threads mostly wait
_LONG = 2000  # images from which on progress is shown


def digest(image: bytes | np.ndarray) -> bytes:
    """Returns the SHA-256 (32 bytes) of a file's bytes, or of an array's dtype, shape and bytes."""
    if isinstance(image, np.ndarray):
        state = hashlib.sha256(f"{image.dtype.str}{image.shape}".encode())
        state.update(np.ascontiguousarray(image))
        return state.digest()
    return hashlib.sha256(image).digest()


def digest_items(
    source: ImageSource, items: Sequence[ImageItem], *, stat_cache: Path | None = None
) -> tuple[np.ndarray, dict[int, str]]:
    """Computes the digest of every image, reading only files that the stat cache does not know.

    Args:
        source: Reads the items.
        items: N images.
        stat_cache: SQLite file to consult and to extend; None = read everything.

    Returns:
        uint8 (N, 32), zeros for what could not be read; and ``{position: reason}`` of those.
    """
    items = list_images(items)
    digests = spill.zeros((len(items), DIGEST_BYTES))
    failures: dict[int, str] = {}
    with StatCache(stat_cache) as cache:
        missing = _recall(source, items, cache, digests)
        shown = progress("reading images", len(missing), "images") if len(missing) >= _LONG else _silent()
        with shown as advance, ThreadPoolExecutor(_THREADS) as pool:
            for block in _cut(missing, _BLOCK):
                fresh: list[Known | Remote] = []
                found: dict[int, bytes] = {}
                tasks = _cut(list(zip(block.tolist(), items[block], strict=True)), _TASK)
                results = pool.map(lambda task: [_read(source, item) for _, item in task], tasks)
                for task, reads in zip(tasks, results, strict=True):
                    for (i, _), read in zip(task, reads, strict=True):
                        if read.digest is None:
                            failures[i] = read.reason
                        else:
                            found[i] = read.digest
                            fresh += read.storable
                    advance(len(task))
                _put(digests, found)
                cache.store(known for known in fresh if isinstance(known, Known))
                cache.store_remote(known for known in fresh if isinstance(known, Remote))
    return digests, failures


class _Read(NamedTuple):
    """What one read came to: a digest, perhaps fit for the stat cache, or the reason why there is none."""

    digest: bytes | None
    storable: tuple[Known | Remote, ...] = ()
    reason: str = ""


def _recall(source: ImageSource, items: ImageList, cache: StatCache, digests: np.ndarray) -> np.ndarray:
    """Fills in what the stat cache knows; returns the positions that have to be read, int (n,)."""
    missing = np.ones(len(items), bool)
    for block in _cut(range(len(items)), _BLOCK) if cache.is_there else ():
        places = dict(zip(block, items[block.start : block.stop].places(), strict=True))
        files = {i: place.path for i, place in places.items() if place.path is not None}
        found = dict(zip(files, cache.look_up(list(files.values())), strict=True))
        remote = {i: _remote(source, place) for i, place in places.items() if place.version is not None}
        found |= dict(zip(remote, cache.look_up_remote(list(remote.values())), strict=True))
        known = {i: one for i, one in found.items() if one}
        _put(digests, known)
        missing[list(known)] = False
    return np.flatnonzero(missing)


def _put(digests: np.ndarray, found: dict[int, bytes]) -> None:
    if found:
        digests[list(found)] = np.frombuffer(b"".join(found.values()), np.uint8).reshape(-1, DIGEST_BYTES)


def _read(source: ImageSource, item: ImageItem) -> _Read:
    now_ns = time.time_ns()
    stamp = None
    if item.path is not None:
        with contextlib.suppress(OSError):  # the source says more of what is wrong
            # The stamp is taken before the content, so that a change in between shows next time.
            stamp = Stamp.of(item.path)
    try:
        result = digest(source.read(item))
    except OSError as error:
        return _Read(None, reason=error.strerror or str(error) or type(error).__name__)
    if item.version is not None:  # told before the content was read, as with stamps
        return _Read(result, (_remote(source, item, result),))
    settled = stamp is not None and stamp.settled(now_ns)
    return _Read(result, (Known(item.path, stamp, result),) if settled else ())


def _remote(source: ImageSource, place: Place | ImageItem, result: bytes = b"") -> Remote:
    # Shards have a root: the same image is known under every pattern that takes its shard.
    root = getattr(source, "root", source.uri)
    return Remote(f"{root.rstrip('/')}/{place.id}", place.version or "", result)


def _cut(positions: Sequence[int], length: int) -> list[Sequence[int]]:
    return [positions[start : start + length] for start in range(0, len(positions), length)]


@contextlib.contextmanager
def _silent() -> Iterator[Advance]:
    yield lambda count: None
