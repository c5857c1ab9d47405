"""The hashes of all pictures of some splits: those that are known, and the rest from the images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.counts import counted, verb
from pipeline.errors import PipelineError
from pipeline.evaluation.leaks.hash_store import HashStore
from pipeline.evaluation.leaks.hashing import HASH_BYTES, picture_hash
from pipeline.evaluation.leaks.originals import Originals
from pipeline.images import ImageItem, ImageSource
from pipeline.images.decode import DecodeError
from pipeline.images.digests import digest
from pipeline.memory import with_room
from pipeline.names import readable
from pipeline.progress import Advance, progress

Images = ImageSource | Callable[[], ImageSource] | None
"""A source, a function that opens it (called only where a hash is missing), or None: only known hashes."""

_BLOCK = 4096  # pictures between two transactions of the store
_TASK = 32  # pictures that a thread hashes at a time
_THREADS = 8  # more than cores, because on network storage threads mostly wait
_LONG = 2000  # pictures from which on progress is shown


@dataclass(frozen=True, eq=False)
class Hashed:
    """The hashes of one split's pictures.

    Attributes:
        hashes: uint8 (n, 32), zeros where there is none.
        known: bool (n,), whose hash is there.
    """

    hashes: np.ndarray
    known: np.ndarray


def hash_all(
    splits: Sequence[Originals], images: Images, store: HashStore
) -> tuple[dict[str, Hashed], list[str]]:
    """Hashes the pictures of all splits, reading only those that the store does not know.

    Never fails because of an image: what cannot be read is left out.

    Args:
        splits: The splits.
        images: Reads what is missing.
        store: Consulted, and extended.

    Returns:
        The hashes by split, and remarks on what was left out.
    """
    names = {key: name for one in splits for key, name in zip(one.keys, one.rows.ids, strict=True)}
    found = store.look_up(names)
    missing = {name: key for key, name in names.items() if key not in found}
    notes = _hash_missing(missing, images, store, found) if missing else []
    plain = sum(not value for value in found.values())
    if plain:
        notes.append(f"{counted(plain, 'picture')} {verb(plain)} too plain to be told apart by a hash")
    return {one.split: _in_rows(one.keys, found) for one in splits}, notes


def _in_rows(keys: Sequence[bytes], found: dict[bytes, bytes]) -> Hashed:
    known = np.array([bool(found.get(key)) for key in keys], bool)
    blank = bytes(HASH_BYTES)
    data = b"".join(found.get(key) or blank for key in keys)
    return Hashed(np.frombuffer(data, np.uint8).reshape(len(keys), HASH_BYTES), known)


def _hash_missing(
    missing: dict[str, bytes], images: Images, store: HashStore, found: dict[bytes, bytes]
) -> list[str]:
    """Hashes what can be read, adds it to ``found`` and to the store; returns remarks on the rest."""
    count = _not_hashed(len(missing))
    if images is None:
        return [f"{count}: `pipeline check` does that where the images can be read"]
    try:
        source = images() if callable(images) else images
        listed = {item.id: item for item in source.items() if item.id in missing}
    except (PipelineError, OSError) as error:
        return [f"{count}: the images cannot be opened: {readable(str(error), 200)}"]
    bad = {name: "it is not in the source any more" for name in missing if name not in listed}
    shown = progress("hashing pictures", len(listed), "images") if len(listed) >= _LONG else _silent()
    items = list(listed.values())
    with shown as advance, ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(items), _BLOCK):
            fresh: dict[bytes, bytes] = {}
            tasks = [items[i : i + _TASK] for i in range(start, min(start + _BLOCK, len(items)), _TASK)]
            for task, hashes in zip(tasks, pool.map(lambda t: _hash(source, t, missing), tasks), strict=True):
                for item, one in zip(task, hashes, strict=True):
                    if isinstance(one, bytes):
                        fresh[missing[item.id]] = one
                    else:
                        bad[item.id] = one
                advance(len(task))
            store.store(fresh)
            found |= fresh
    if bad:
        name, reason = next(iter(bad.items()))
        return [f"{_not_hashed(len(bad))}, e.g. {readable(name)}: {readable(reason, 100)}"]
    return []


def _hash(source: ImageSource, task: Sequence[ImageItem], wanted: dict[str, bytes]) -> list[bytes | str]:
    """Returns the hash of each image, or why there is none."""
    results: list[bytes | str] = []
    for item in task:
        try:
            data = with_room(partial(source.read, item), to=f"read {item.id!r}")
            changed = digest(data) != wanted[item.id]
            results.append("it has changed since its features were made" if changed else picture_hash(data))
        except OSError as error:
            results.append(error.strerror or str(error) or type(error).__name__)
        except DecodeError as error:
            results.append(str(error))
    return results


@contextlib.contextmanager
def _silent() -> Iterator[Advance]:
    yield lambda count: None


def _not_hashed(count: int) -> str:
    return f"{counted(count, 'picture')} {verb(count, 'was', 'were')} not hashed"
