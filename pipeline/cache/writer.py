"""EntryWriter: files of one entry being brought to a wanted state."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.cache.damage import Damage, DamagedFileError, damage_of_features, damage_of_marks
from pipeline.cache.entries import Entry, is_features
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import Header, damaged_rows, row_bytes
from pipeline.cache.partial_file import PartialFile, create_feature_file, is_its_own, refused
from pipeline.cache.reuse import StoredRows, copy_rows, holds_unique_rows
from pipeline.cache.row_places import FeaturePlace
from pipeline.cache.shards import RowMap
from pipeline.errors import CacheMismatchError, PipelineError, UnreadableFileError, UsageError
from pipeline.files import LeftAlone, discard, refuse_links, would_stay
from pipeline.images.row_table import RowTable
from pipeline.publishing import sync_to_disk


class EntryWriter:
    """Fills files of one entry; the rows of all of them stand in one sequence, row g as in the plan.

    A file that already is published as wanted, with every checksum right, is left alone. All others get a
    partial file, continued where one with the same rows exists.

    Attributes:
        entry: What is filled.
        damaged: Damaged files that were met.
    """

    def __init__(self, entry: Entry, headers: Mapping[str, Header], wanted: Mapping[str, RowTable]) -> None:
        """Compares the wanted rows with what is published.

        Args:
            entry: What is to be filled; the caller holds the lock of each file.
            headers: By the name of the shard, what its file shall say of itself.
            wanted: By the name of the shard, the rows that it shall hold.
        """
        self.entry = entry
        self._headers = headers
        self._wanted = wanted
        self._map = RowMap([len(rows) for rows in wanted.values()])
        self._partials: dict[str, PartialFile] = {}
        self._unread: dict[Path, LeftAlone] = {}
        self.damaged: list[Damage] = []
        self.current = {name: self._sound(entry.file(name), name, whole=True) for name in wanted}

    def __enter__(self) -> Self:
        """Continues the partial files that are there."""
        for name in self._wanted:
            path = self.entry.partial(name)
            if not self.current[name] and is_its_own(path) and self._sound(path, name):
                self._partials[name] = PartialFile(path)
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
    def complete(self) -> bool:
        """Tells whether every file is there, published or not, with all of its rows."""
        there = all(self.current[name] or name in self._partials for name in self._wanted)
        return there and bool(self.done.all())

    @property
    def left(self) -> list[LeftAlone]:
        """Files of the entry that cannot be read now, where they stand; the rows in them were not used."""
        return list(self._unread.values())

    @property
    def rows(self) -> int:
        """TargetRows rows of all files."""
        return len(self._map)

    @property
    def done(self) -> np.ndarray:
        """Marks the wanted rows that are on disk, bool (G,)."""
        shards = [
            self._partials[name].done if name in self._partials else np.full(len(rows), self.current[name])
            for name, rows in self._wanted.items()
        ]
        return np.concatenate(shards) if shards else np.zeros(0, bool)

    def missing_bytes(self, feature_shape: tuple[int, ...]) -> int:
        """Bytes of the files that are still to be laid out."""
        return sum(
            len(rows) * row_bytes(feature_shape, self.entry.spec.store)
            for name, rows in self._wanted.items()
            if not self.current[name] and name not in self._partials
        )

    def open(self, feature_shape: tuple[int, ...]) -> None:
        """Lays out a partial file for every shard that is neither published as wanted nor continued.

        Raises:
            ForeignFileError: A link stands in the place of a file.
            PipelineError: The disk is full or cannot be written.
        """
        self.entry.save()
        for name in self._wanted:
            if not self.current[name]:  # told now, and not after the images
                refuse_links(self.entry.file(name), root=self.entry.cache)
        for name, rows in self._wanted.items():
            if not self.current[name] and name not in self._partials:
                path = self.entry.partial(name)
                self._retire(path)  # its rows may still be worth copying
                create_feature_file(path, self._headers[name], rows, feature_shape)
                self._partials[name] = PartialFile(path)

    def copy(self, stored: StoredRows, rows: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Copies rows that stand elsewhere in the cache.

        Args:
            stored: Where they stand.
            rows: int (n,), wanted rows, ascending.
            sources: int (n,), position of each in ``stored``.

        Returns:
            Those of ``sources``, int (k,), whose features are damaged; they are not copied.
        """
        found = [copy_rows(stored, sources[i], file, local) for file, i, local in self.files_of(rows)]
        damaged = np.concatenate(found) if found else sources[:0]
        files, counts = np.unique(stored.file[damaged], return_counts=True)
        for file, count in zip(files.tolist(), counts.tolist(), strict=True):
            self.damaged += damage_of_features(stored.layouts[file], count)
        return damaged

    def files_of(self, rows: np.ndarray) -> Iterator[tuple[PartialFile, slice, np.ndarray]]:
        """Cuts wanted rows, int (n,), ascending, by file: (file, slice of ``rows``, row numbers in it)."""
        names = list(self._wanted)
        for number, inside, local in self._map.split(rows):
            yield self._partials[names[number]], inside, local

    def places(self) -> list[FeaturePlace]:
        """Says where other processes may write features, for ``FeatureFiles``."""
        return [
            FeaturePlace(
                path=partial.layout.path.parent.resolve() / partial.layout.path.name,
                first=int(start),
                rows=len(rows),
                offset=partial.layout.offsets["features"],
                row_bytes=row_bytes(partial.layout.feature_shape, self.entry.spec.store),
            )
            for (name, rows), start in zip(self._wanted.items(), self._map.starts, strict=False)
            if (partial := self._partials.get(name))
        ]

    def commit(self) -> None:
        """Makes all written rows durable and marks them done."""
        for partial in self._partials.values():
            partial.commit()

    def publish(self, held: Collection[str] = (), *, replace: bool = True) -> list[str]:
        """Publishes every file that is complete.

        A file that is replaced is kept as ``.retired`` while it holds rows that these files lack.

        Args:
            held: Parts that are not to be published although all their rows are done.
            replace: whether a shard of several may take the place of one of another state of the split.

        Returns:
            The shards that are not published as wanted.

        Raises:
            PipelineError: The disk refuses it, or the entry has been removed.
        """
        for partial in self._partials.values():
            partial.check_place()
        with refused(f"the cache at {self.entry.folder}"):
            return self._publish(held, replace)

    def _publish(self, held: Collection[str], replace: bool) -> list[str]:
        self.entry.save()  # also where nothing was to be filled: it may have been edited or lost
        unfinished = []
        for name in self._wanted:
            published, partial = self.entry.file(name), self._partials.get(name)
            if partial is None:
                if name in held:
                    unfinished.append(name)
                self._retire(self.entry.partial(name))
            elif (
                name in held
                or not partial.done.all()
                or (published.exists() and not replace and self._headers[name].count > 1)
            ):
                unfinished.append(name)
            else:
                self._make_way(published)
                partial.publish(published)
                self.current[name] = True
        sync_to_disk(self.entry.folder)
        return unfinished

    def _make_way(self, published: Path) -> None:
        """Retires a file that may hold what these lack: rows, what cannot be read now, what is not ours."""
        foreign = would_stay(published, root=self.entry.cache, known=is_features)
        unique = False
        if not foreign and published.exists():
            try:
                unique = holds_unique_rows(published, map(self._newest, self._wanted))
            except UnreadableFileError as error:
                foreign = LeftAlone(published, error.reason)
        if foreign:
            self._unread[published] = foreign
            self._retire(published)
        elif unique:
            self._forget_copies(published)
            self._retire(published, keep=True)

    def _retire(self, path: Path, *, keep: bool = False) -> None:
        with refused(f"the cache at {self.entry.folder}"):
            retired = self.entry.retire(path, keep=keep)
        if retired and path in self._unread:
            self._unread[path] = replace(self._unread[path], path=retired)

    def _forget_copies(self, published: Path) -> None:
        """Removes other names of a file, left by a run that was killed before it replaced it."""
        for path in self.entry.retired():
            if os.path.samestat(os.lstat(path), os.lstat(published)):
                discard(path, root=self.entry.cache)

    def _sound(self, path: Path, name: str, *, whole: bool = False) -> bool:
        """Tells whether a file was made for exactly the wanted rows and every row in it is intact."""
        try:
            layout, header = open_feature_file(path), self._headers[name]
            self.damaged += damage_of_marks(layout)
            as_wanted = (
                replace(layout.header, software=header.software) == header
                and layout.rows.equals(self._wanted[name])
                and (bool(layout.done.all()) or not whole)
            )
            bad = damaged_rows(layout) if as_wanted else ()
            self.damaged += damage_of_features(layout, len(bad))
            return as_wanted and not len(bad)
        except UnreadableFileError as error:
            self._unread[path] = LeftAlone(path, error.reason)
            return False  # it is kept as a retired file
        except DamagedFileError as error:
            self.damaged.append(Damage.of(path, error.what))
            return False  # what can be proved of it is copied
        except (CacheMismatchError, UsageError):
            return False

    def _newest(self, name: str) -> Path:
        return self.entry.file(name) if self.current[name] else self.entry.partial(name)
