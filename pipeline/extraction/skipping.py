"""Images that are known to be bad, and all others of the same content."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping

import numpy as np

from pipeline.cache.entries import Entry
from pipeline.cache.parts import Part
from pipeline.cache.reading import open_layout
from pipeline.errors import CacheMismatchError, UnreadableFileError, UsageError
from pipeline.extraction.loading import Failure
from pipeline.images.catalog import Catalog


def known_failures(entry: Entry, parts: Iterable[Part]) -> list[Failure]:
    """Lists the bad contents that published files record; files that cannot be read record none."""
    known: list[Failure] = []
    for part in parts:
        with contextlib.suppress(CacheMismatchError, UnreadableFileError, UsageError):
            header = open_layout(entry.file(part.name)).header
            known += [Failure(**record) for record in header.skipped if _is_of_content(record)]
    return known


def _is_of_content(record: Mapping[str, str]) -> bool:
    """Tells whether an image is at fault itself; earlier versions blamed it where the memory was short."""
    reason = record["reason"]
    doubtful = "MemoryError" in reason or "out of memory" in reason
    return bool(record["digest"]) and not doubtful


def with_copies(failures: Collection[Failure], catalog: Catalog) -> list[Failure]:
    """Lists failures by file, and for each bad content all images of the source that have it."""
    reasons = {failure.digest: failure.reason for failure in failures if failure.digest}
    beginnings = np.array([int(digest[:16], 16) for digest in reasons], np.uint64)
    copies: list[Failure] = []
    for rows in catalog.splits.values() if reasons else ():
        first_eight = np.ascontiguousarray(rows.digests[:, :8]).view(">u8").reshape(-1)
        for row in np.flatnonzero(np.isin(first_eight.astype(np.uint64), beginnings)):
            digest = rows.digests[row].tobytes().hex()
            if digest in reasons:
                copies.append(Failure(rows.ids[row], reasons[digest], digest))
    return [failure for failure in failures if not failure.digest] + copies
