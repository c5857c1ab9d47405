"""Short marks of rows: what a row is told by where a feature file does not prove it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.images.rows import Rows
from pipeline.images.texts import Texts

_MARK_BYTES = 8


def name_marks(rows: Rows) -> np.ndarray:
    """Returns a hash of each row's id, uint64 (N,)."""
    return _marks(encoded_ids(rows))


def image_marks(rows: Rows) -> np.ndarray:
    """Returns a hash of each row's id together with its digest, uint64 (N,)."""
    digests = np.ascontiguousarray(rows.digests)
    return _marks(digest.tobytes() + name for name, digest in zip(encoded_ids(rows), digests, strict=True))


def isin(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """Tells which of some keys are among others, bool (n,)."""
    if not len(these) or not len(those):
        return np.zeros(len(these), bool)
    return np.isin(these, those)


def encoded_ids(rows: Rows) -> Iterator[bytes]:
    """Yields each row's id as it stands in a file."""
    if isinstance(rows.ids, Texts):
        return rows.ids.encoded()
    return (name.encode("utf-8", "surrogateescape") for name in rows.ids)


def _marks(values: Iterable[bytes]) -> np.ndarray:
    digests = (hashlib.blake2b(value, digest_size=_MARK_BYTES).digest() for value in values)
    return np.fromiter((int.from_bytes(digest, "little") for digest in digests), np.uint64)
