"""Lists of images: taken up one by one into columns, so that an object exists only while it is looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images.image_columns import (
    NO_GROUP,
    SPLIT_CODES,
    VERSION,
    Columns,
    ImagePlace,
    Shard,
    ShardBuilder,
)
from pipeline.images.packed_strings import SHARD, Categorical, PackedStrings
from pipeline.images.sequences import (
    KEPT_BYTES,
    LazySequence,
    Positions,
    Span,
    Spill,
    as_run,
    compact,
    is_constant,
    pick,
    take_rows,
)
from pipeline.images.source import SPLITS, ImageItem

_STRETCH = 4096


class ImageList(LazySequence[ImageItem]):
    """Images in order, in about the bytes of their ids and ten more for each.

    A part of it shares the columns, and is pickled without the rest. A long list stands in a file without a
    name, which is gone with the last part.
    """

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: Columns, rows: Positions) -> None:
        """Made by :class:`ImageListBuilder`."""
        self._columns = columns
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[ImageItem]:
        return (self._item(shard, row) for shard, row in self._shards_and_rows())

    def __reduce__(self) -> tuple[Callable[..., ImageList], tuple[Any, ...]]:
        whole = isinstance(self._rows, range) and self._rows == range(self._columns.length)
        columns = self._columns if whole else self._alone()
        shards = [
            [(array[:1] if is_constant(array) else array, len(array)) for array in shard.arrays]
            for shard in columns.shards
        ]
        return _restore, (shards, columns._replace(shards=()), len(self))

    def take(self, index: slice | np.ndarray | Sequence[int]) -> ImageList:
        """Returns the images at the given int positions (or under a boolean mask), in that order."""
        return ImageList(self._columns, pick(self._rows, index))

    def places(self) -> Iterator[ImagePlace]:
        """Yields where each image is, at half the cost of an object."""
        return (shard.place(row, self._columns.root) for shard, row in self._shards_and_rows())

    @property
    def ids(self) -> PackedStrings:
        """The names of the images."""
        return self._texts("ids")

    @property
    def labels(self) -> np.ndarray:
        """Their labels, int32 (N,)."""
        labels = self._column("labels")
        return (labels if self._columns.labels is None else self._columns.labels[labels]).astype(np.int32)

    @property
    def splits(self) -> np.ndarray:
        """The splits that the source states, integers (N,): positions in ``SPLITS``, or -1."""
        return self._column("splits")

    @property
    def groups(self) -> Categorical:
        """The names of their groups; code -1 where there is none."""
        return Categorical(self._column("groups"), self._columns.groups)

    @property
    def versioned(self) -> np.ndarray:
        """Which have a version, bool (N,)."""
        return (self._column("kinds") & VERSION) > 0

    def _column(self, name: str) -> np.ndarray:
        whole = [getattr(shard, name) for shard in self._columns.shards]
        if all(is_constant(part) and part[0] == whole[0][0] for part in whole):
            return np.broadcast_to(whole[0][:1], len(self))
        return take_rows(np.concatenate(whole) if len(whole) > 1 else whole[0], self._rows)

    def _texts(self, name: str) -> PackedStrings:
        return PackedStrings([getattr(shard, name) for shard in self._columns.shards], self._rows)

    def _alone(self) -> Columns:
        """Returns columns of these images and no others."""
        ids, paths, versions = (self._texts(name).alone().packs for name in ("ids", "paths", "versions"))
        groups = self.groups.alone()
        columns = [self._column("labels"), self._column("splits"), groups.codes, self._column("kinds")]
        shards = []
        for number, start in enumerate(range(0, max(len(self), 1), SHARD)):
            labels, splits, codes, kinds = (compact(column[start : start + SHARD]) for column in columns)
            shards.append(Shard(ids[number], labels, splits, codes, kinds, paths[number], versions[number]))
        return self._columns._replace(shards=shards, groups=groups.names)

    def _at(self, position: int) -> ImageItem:
        row = int(self._rows[position])
        return self._item(self._columns.shards[row // SHARD], row % SHARD)

    def _shards_and_rows(self) -> Iterator[tuple[Shard, int]]:
        number, shard = 0, self._columns.shards[0]
        for start in range(0, len(self), _STRETCH):
            stretch = self._rows[start : start + _STRETCH]
            for row in stretch if isinstance(stretch, range) else stretch.tolist():
                if row // SHARD != number:
                    number = row // SHARD
                    shard = self._columns.shards[number]
                yield shard, row % SHARD

    def _item(self, shard: Shard, row: int) -> ImageItem:
        _, groups, root, labels = self._columns
        name, path, version = shard.place(row, root)
        label, split, group = shard.labels.item(row), shard.splits.item(row), shard.groups.item(row)
        return ImageItem(
            name,
            label if labels is None else labels.item(label),
            SPLITS[split] if split >= 0 else None,
            groups[group] if group >= 0 else None,
            Path(path) if path is not None else None,
            version,
        )

    @classmethod
    def joined(cls, parts: Sequence[ImageList]) -> ImageList:
        """Puts parts of one list, at least one, one below the other; no column is copied.

        Raises:
            ValueError: They are parts of several lists.
        """
        if any(part._columns is not parts[0]._columns for part in parts):
            raise ValueError("these are parts of several lists")
        rows = np.concatenate([np.asarray(part._rows, np.int64) for part in parts])
        return cls(parts[0]._columns, as_run(rows))


def _restore(shards: Sequence[Sequence[tuple[np.ndarray, int]]], columns: Columns, length: int) -> ImageList:
    whole = [
        Shard.of_arrays([part if len(part) == n else np.broadcast_to(part, n) for part, n in arrays])
        for arrays in shards
    ]
    return ImageList(columns._replace(shards=whole), range(length))


def list_images(items: Iterable[ImageItem]) -> ImageList:
    """Lists images that may come one by one; a list of this kind is returned as it is."""
    if isinstance(items, ImageList):
        return items
    builder = ImageListBuilder()
    for item in items:
        path = None if item.path is None else os.fspath(item.path)
        builder.add(item.id, item.label, split=item.split, group=item.group, path=path, version=item.version)
    return builder.finish()


class ImageListBuilder:
    """Takes up images one by one and keeps no more than their columns."""

    def __init__(
        self, *, root: Path | str = "", kept_bytes: int = KEPT_BYTES, folder: Path | None = None
    ) -> None:
        """Begins an empty list.

        Args:
            root: Folder of most images; where a path is this folder and the id, it takes no memory.
            kept_bytes: How large the list may grow in memory.
            folder: Where the temporary file is made beyond that; None = where the system keeps such files.
        """
        self._root = os.fspath(root)
        self._kept_bytes = kept_bytes
        self._spill = Spill(folder)
        self._spilled: list[list[Span]] = []
        self._kept: list[Shard] = []  # in memory, behind those in the file
        self._in_memory = 0  # bytes
        self._open = ShardBuilder()
        self._groups: dict[str, int] = {}

    def __len__(self) -> int:
        return SHARD * (len(self._spilled) + len(self._kept)) + len(self._open)

    def add(
        self,
        name: str,
        label: int,
        *,
        split: str | None = None,
        group: str | None = None,
        path: str | None = None,
        version: str | None = None,
    ) -> None:
        """Adds an image at the end; see :class:`ImageItem`.

        Raises:
            ValueError: Its split is no split.
        """
        if split not in SPLIT_CODES:
            raise ValueError(f"{name!r} has the split {split!r}: choose from {', '.join(SPLITS)}")
        if len(self._open) == SHARD:
            self._close_shard()
        self._open.add(
            name,
            label,
            split=SPLIT_CODES[split],
            group=NO_GROUP if group is None else self._groups.setdefault(group, len(self._groups)),
            path=path,
            version=version,
            root=self._root,
        )

    def finish(self, labels: Sequence[int] | None = None) -> ImageList:
        """Returns the list; the builder is of no use any more.

        Args:
            labels: What each label from 0 on stands for, where that shows only now; -1 stands for itself.
        """
        length = len(self)
        if len(self._open) or not length:
            self._close_shard()
        data = self._spill.mapped()
        spilled = [Shard.of_arrays([span.read(data) for span in spans]) for spans in self._spilled]
        meaning = None if labels is None else np.array([*labels, -1], np.int32)
        return ImageList(
            Columns(spilled + self._kept, PackedStrings.of(self._groups), self._root, meaning), range(length)
        )

    def _close_shard(self) -> None:
        shard = self._open.finish()
        self._open = ShardBuilder()
        self._kept.append(shard)
        self._in_memory += shard.nbytes
        if self._in_memory > self._kept_bytes:
            while self._kept and (spans := self._spill.write(self._kept[0].arrays)):
                self._spilled.append(spans)
                self._in_memory -= self._kept.pop(0).nbytes
