"""The hashes of pictures: how one is made, and those of all pictures of some splits, known or made now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.errors import PipelineError, reason_of
from pipeline.evaluation.leaks.likeness import Originals
from pipeline.files import root_of
from pipeline.images import ImageItem, ImageSource
from pipeline.images.contents import ChangedError, in_threads, read_checked
from pipeline.images.decode import DecodeError, decode_for_itself
from pipeline.record_store import RecordStore
from pipeline.wording import counted, readable, verb

SCHEME = "dct16-v1"
"""Names the hash; to be changed with anything that changes a bit of it."""
FILE_NAME = ".picture-hashes.sqlite"
HASH_BYTES = 32
_SIDE = 32
_FREQUENCIES = 16
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_FAINT = 2.0
"""A coefficient below this may be noise of the encoder: its sign tells nothing."""
_FEWEST = 96
"""Coefficients that must not be faint. The plainest of 1,797 scanned digits has 110, photographs over 200."""

ORIENTATIONS = (
    "as it is",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180 degrees",
    "mirrored at the diagonal",
    "turned by 90 degrees to the left",
    "turned by 90 degrees to the right",
    "mirrored at the other diagonal",
)
"""What may have been done to a picture without changing a pixel; the order is that of ``oriented``."""

_PLACES = np.arange(_FREQUENCIES**2).reshape(_FREQUENCIES, _FREQUENCIES)
_VERTICAL, _HORIZONTAL = np.divmod(_PLACES.reshape(-1), _FREQUENCIES)
_ODD = ((_HORIZONTAL % 2) == 1, (_VERTICAL % 2) == 1)
"""Mirroring turns the sign of the frequencies that are odd in its direction, and of no other."""
_GROUPED = np.lexsort((_PLACES.reshape(-1), *_ODD))
"""The places of all bits, those first that are even in both directions, which no mirroring changes."""

Images = ImageSource | Callable[[], ImageSource] | None
"""A source, a function that opens it (called only where a hash is missing), or None: only known hashes."""


def _basis() -> np.ndarray:
    """Returns the lowest rows of the orthonormal DCT-II, float32 (16, 32)."""
    frequency, place = np.ogrid[:_FREQUENCIES, :_SIDE]
    rows = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


_BASIS = _basis()


def _words(bits: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.packbits(bits[..., _GROUPED], axis=-1)).view(np.uint64)


FLIPS = np.stack(
    [_words((_ODD[0] & bool(way & 1)) ^ (_ODD[1] & bool(way & 2))) for way in range(len(ORIENTATIONS) // 2)]
)
"""uint64 (4, 4): what the first four orientations change in the words of :func:`in_words`."""


def picture_hash(data: bytes | np.ndarray) -> bytes:
    """Returns a picture's hash, 32 bytes; empty where it is too plain (a blank page) to be told apart.

    Args:
        data: An encoded file, or pixels, see ``pipeline.images.decode``.

    Raises:
        DecodeError: It is no readable picture.
    """
    grey = decode_for_itself(data, _SIDE) @ _GREY
    frequencies = (_BASIS @ grey @ _BASIS.T).reshape(-1)
    frequencies[0] = 0  # the mean brightness is always positive
    if np.count_nonzero(np.abs(frequencies) >= _FAINT) < _FEWEST:
        return b""
    return np.packbits(frequencies > 0).tobytes()


def in_words(hashes: np.ndarray) -> np.ndarray:
    """Returns uint64 (n, 4) of uint8 (n, 32): the bits that no mirroring changes are the first word."""
    return _words(np.unpackbits(hashes, axis=1))


def transposed(hashes: np.ndarray) -> np.ndarray:
    """Returns the hashes of the pictures mirrored at the diagonal, uint8 (n, 32), without the pictures.

    Pictures are hashed as squares, so that rows and columns only change places.
    """
    return np.packbits(np.unpackbits(hashes, axis=1)[:, _PLACES.T.reshape(-1)], axis=1)


def oriented(hashes: np.ndarray, way: int) -> np.ndarray:
    """Returns the hashes of pictures to which one of ``ORIENTATIONS`` is undone, uint8 (n, 32)."""
    turn, flips = divmod(way, len(FLIPS))
    mask = np.packbits((_ODD[0] & bool(flips & 1)) ^ (_ODD[1] & bool(flips & 2)))
    return (transposed(hashes) if turn else hashes) ^ mask


class HashStore:
    """Hashes in one SQLite file, see ``RecordStore``; made when there is something to store."""

    def __init__(self, file: Path | None) -> None:
        root = file and root_of(file, 1)  # <cache>/<dataset>/.picture-hashes.sqlite
        self._store = RecordStore(file, SCHEME, root=root, otherwise="pictures are hashed again")

    def look_up(self, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Returns the hashes that are known, by digest."""
        with self._store:
            found = self._store.get(digests)
        return {digest: value for digest, value in found.items() if len(value) in (0, HASH_BYTES)}

    def store(self, hashes: Mapping[bytes, bytes]) -> None:
        """Keeps hashes, in one transaction."""
        with self._store:
            self._store.put(hashes)


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
        items = [item for item in source.items() if item.id in missing]
    except (PipelineError, OSError) as error:
        return [f"{count}: the images cannot be opened: {readable(str(error), 200)}"]
    gone = missing.keys() - {item.id for item in items}
    bad = {name: "it is not in the source any more" for name in missing if name in gone}
    work = partial(_hash, source, wanted=missing)
    for block, hashes in in_threads(work, items, title="hashing pictures"):
        fresh: dict[bytes, bytes] = {}
        for item, one in zip(items[block], hashes, strict=True):
            if isinstance(one, bytes):
                fresh[missing[item.id]] = one
            else:
                bad[item.id] = one
        store.store(fresh)
        found |= fresh
    if bad:
        name, reason = next(iter(bad.items()))
        return [f"{_not_hashed(len(bad))}, e.g. {readable(name)}: {readable(reason, 100)}"]
    return []


def _hash(source: ImageSource, item: ImageItem, *, wanted: Mapping[str, bytes]) -> bytes | str:
    """Returns the hash of an image, or why there is none."""
    try:
        return picture_hash(read_checked(source, item, wanted[item.id])[0])
    except ChangedError:
        return "it has changed since its features were made"
    except OSError as error:
        return reason_of(error)
    except DecodeError as error:
        return str(error)


def _not_hashed(count: int) -> str:
    return f"{counted(count, 'picture')} {verb(count, 'was', 'were')} not hashed"
