"""EntryWriter: one entry being brought to a wanted state, over all of its splits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.cache.entries import Entry
from pipeline.cache.filling import PartialFile, damaged_rows
from pipeline.cache.layout import Header, lay_out, open_layout, row_bytes
from pipeline.cache.remote import FeaturePlace
from pipeline.cache.reuse import StoredRows, copy_rows, holds_unique_rows
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.images import SPLITS
from pipeline.images.rows import Rows
from pipeline.publishing import sync_to_disk


class EntryWriter:
    """Fills the files of one entry; rows of all splits stand in one sequence, row g as in the plan.

    A split whose published file already is as wanted, with every checksum right, is left alone. All others
    get a partial file, continued where one with the same rows exists.
    """

    def __init__(self, entry: Entry, headers: Mapping[str, Header], wanted: Mapping[str, Rows]) -> None:
        """Compares the wanted rows with what is published.

        Args:
            entry: What is to be filled.
            headers: Per split, what its file shall say of itself.
            wanted: Per split, the rows it shall hold.
        """
        self.entry = entry
        self._headers = headers
        self._wanted = wanted
        self._starts = dict(zip(wanted, np.cumsum([0, *map(len, wanted.values())]), strict=False))
        self._partials: dict[str, PartialFile] = {}
        self.current = {split: self._sound(entry.file(split), split, whole=True) for split in wanted}
        self._continued = {
            split for split in wanted if not self.current[split] and self._sound(entry.partial(split), split)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keeps every row that was written, also when the run is interrupted."""
        for partial in self._partials.values():
            with contextlib.suppress(OSError, PipelineError):
                partial.commit()
            partial.close()

    @property
    def up_to_date(self) -> bool:
        """Tells whether every wanted split is published as wanted, and no other is."""
        return all(self.current.values()) and set(self.entry.splits) == set(self._wanted)

    @property
    def done(self) -> np.ndarray:
        """Marks the wanted rows that are on disk, bool (G,)."""
        parts = [
            np.full(len(rows), self.current[split]) if self.current[split] else self._partials[split].done
            for split, rows in self._wanted.items()
        ]
        return np.concatenate(parts) if parts else np.zeros(0, bool)

    @property
    def rows(self) -> int:
        """Wanted rows over all splits."""
        return sum(map(len, self._wanted.values()))

    def missing_bytes(self, feature_shape: tuple[int, ...]) -> int:
        """Bytes of the files that are still to be laid out."""
        return sum(
            len(rows) * row_bytes(feature_shape, self.entry.spec.store)
            for split, rows in self._wanted.items()
            if not self.current[split] and split not in self._continued
        )

    def open(self, feature_shape: tuple[int, ...]) -> None:
        """Lays out, or continues, the partial file of every split that is not published as wanted.

        Raises:
            PipelineError: The disk is full or cannot be written.
        """
        self.entry.save()
        for split, rows in self._wanted.items():
            if not self.current[split]:
                path = self.entry.partial(split)
                if split not in self._continued:
                    with self._disk_errors():
                        self._retire(path, split)  # its rows may still be worth copying
                    lay_out(path, self._headers[split], rows, feature_shape)
                self._partials[split] = PartialFile(path)

    def copy(self, stored: StoredRows, rows: np.ndarray, sources: np.ndarray) -> int:
        """Copies rows that stand elsewhere in the cache.

        Args:
            stored: Where they stand.
            rows: int (n,), wanted rows, ascending.
            sources: int (n,), position of each in ``stored``.

        Returns:
            How many were copied; damaged ones are left to be computed.
        """
        copied = 0
        for split, inside, local in self._by_split(rows):
            copied += copy_rows(stored, sources[inside], self._partials[split], local)
        return copied

    def write(self, rows: np.ndarray, features: np.ndarray) -> None:
        """Writes features (n, *feature shape) of wanted rows, int (n,), ascending."""
        for split, inside, local in self._by_split(rows):
            self._partials[split].write(local, features[inside])

    def places(self) -> list[FeaturePlace]:
        """Says where other processes may write features, for ``FeatureFiles``."""
        return [
            FeaturePlace(
                path=partial.layout.path.resolve(),
                first=int(self._starts[split]),
                rows=len(self._wanted[split]),
                offset=partial.layout.offsets["features"],
                row_bytes=row_bytes(partial.layout.feature_shape, self.entry.spec.store),
            )
            for split, partial in self._partials.items()
        ]

    def record(self, rows: np.ndarray, crc32: np.ndarray) -> None:
        """Writes checksums, uint32 (n,), of wanted rows that another process has written."""
        for split, inside, local in self._by_split(rows):
            self._partials[split].record(local, crc32[inside])

    def commit(self) -> None:
        """Makes all written rows durable and marks them done."""
        for partial in self._partials.values():
            partial.commit()

    def publish(self, held: Collection[str] = ()) -> list[str]:
        """Publishes every split that is complete.

        Files that are replaced, or whose split is gone, are kept as ``.retired`` while they hold rows that
        no newer file has.

        Args:
            held: Splits that are not to be published although all their rows are done, nor given up where
                no row of theirs is wanted.

        Returns:
            The splits that are not published as wanted.

        Raises:
            PipelineError: The disk refuses it, or the entry has been removed.
        """
        for partial in self._partials.values():
            partial.check_place()
        with self._disk_errors():
            return self._publish(held)

    def _publish(self, held: Collection[str]) -> list[str]:
        self.entry.save()  # also where nothing was to be filled: it may have been edited or lost
        newer = [open_layout(self._newest(split)) for split in self._wanted]
        unfinished = []
        for split in self._wanted:
            published, partial = self.entry.file(split), self._partials.get(split)
            if partial is None:
                if split in held:
                    unfinished.append(split)
                self._retire(self.entry.partial(split), split)
            elif split in held or not partial.done.all():
                unfinished.append(split)
            else:
                if published.exists() and holds_unique_rows(published, newer):
                    self._forget_copies(published)
                    os.link(published, self.entry.next_retired(split))
                partial.publish(published)
        for split in set(SPLITS) - set(self._wanted) - set(held):
            self._retire(self.entry.file(split), split)
            self._retire(self.entry.partial(split), split)
        for path in self.entry.retired():
            if not holds_unique_rows(path, newer):
                path.unlink()
        for path in self.entry.folder.glob("*.tmp"):
            path.unlink()  # a killed run's: this one holds the lock
        sync_to_disk(self.entry.folder)
        return unfinished

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PipelineError(
                f"cannot write the cache at {self.entry.folder}: {error.strerror or error}. All finished "
                "rows are kept; make room there, or make it writable, and run the same command again"
            ) from error

    def _forget_copies(self, published: Path) -> None:
        """Removes other names of a file, left by a run that was killed before it replaced it."""
        for path in self.entry.retired():
            if path.samefile(published):
                path.unlink()

    def _retire(self, path: Path, split: str) -> None:
        if path.exists():
            os.replace(path, self.entry.next_retired(split))

    def _sound(self, path: Path, split: str, *, whole: bool = False) -> bool:
        """Tells whether a file was made for exactly the wanted rows and every row in it is intact."""
        try:
            layout = open_layout(path)
        except (CacheMismatchError, UsageError):
            return False
        header = self._headers[split]
        return (
            replace(layout.header, software=header.software) == header
            and layout.rows.equals(self._wanted[split])
            and (bool(layout.done.all()) or not whole)
            and not len(damaged_rows(layout))
        )

    def _newest(self, split: str) -> Path:
        return self.entry.file(split) if self.current[split] else self.entry.partial(split)

    def _by_split(self, rows: np.ndarray) -> list[tuple[str, slice, np.ndarray]]:
        """Cuts ascending wanted rows into (split, slice of ``rows``, row numbers in its file)."""
        parts = []
        for split, wanted in self._wanted.items():
            start = self._starts[split]
            low, high = np.searchsorted(rows, [start, start + len(wanted)])
            if high > low:
                parts.append((split, slice(low, high), rows[low:high] - start))
        return parts
