"""Rows written by other processes, on this machine or on another that sees the same files.

Only features are written there. Checksums and ``done`` flags of many rows share a page, and a network file
system may write whole pages: they are written by the one process that holds the entry.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.cache.entries import cache_of
from pipeline.cache.format import checksums
from pipeline.cache.partial_file import contiguous_runs, refused, write_at
from pipeline.files import open_file

# O_DSYNC: what was written is durable, and the NFS client of Linux never widens a write to the whole page,
# half of which may be another machine's (nfs_can_extend_write in fs/nfs/write.c).
FLAGS = os.O_WRONLY | getattr(os, "O_DSYNC", 0)


@dataclass(frozen=True)
class FeaturePlace:
    """Where the features of one split stand.

    Attributes:
        path: The laid-out file.
        first: Its first row, counted through all splits as in the plan.
        rows: How many it holds.
        offset: Byte offset of its features.
        row_bytes: Bytes of one row.
    """

    path: Path
    first: int
    rows: int
    offset: int
    row_bytes: int


class FeatureFiles:
    """The laid-out files of one entry, opened to write features by row number of the plan."""

    def __init__(self, places: Sequence[FeaturePlace]) -> None:
        """Opens the files.

        Raises:
            ForeignFileError: One is a link.
            OSError: One is not there, or must not be written.
        """
        self._places = places
        with ExitStack() as opened:
            self._files: list[int] = []
            for place in places:
                file = open_file(place.path, FLAGS, root=cache_of(place.path))
                opened.callback(os.close, file)
                self._files.append(file)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def write(self, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Writes features and makes them durable.

        Args:
            rows: int (n,), wanted rows as in the plan, ascending.
            features: (n, *feature shape) in the stored dtype.

        Returns:
            uint32 (n,), their checksums, for ``PartialFile.record``.

        Raises:
            PipelineError: The disk refuses the bytes.
        """
        features = np.ascontiguousarray(features)
        for place, file in zip(self._places, self._files, strict=True):
            low, high = np.searchsorted(rows, [place.first, place.first + place.rows])
            local, inside = rows[low:high] - place.first, features[low:high]
            with refused(place.path):
                for run in contiguous_runs(local):
                    write_at(file, inside[run], place.offset + int(local[run.start]) * place.row_bytes)
        return checksums(features)
