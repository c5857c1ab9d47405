"""Images in columns: an object exists only while it is looked at."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from pipeline.images.packed_strings import SHARD, Categorical, Pack, PackBuilder, PackedStrings
from pipeline.images.sequences import LazySequence, Positions, as_run, compact, is_constant, pick, take_rows
from pipeline.images.source import SPLITS, ImageItem

NO_SPLIT = NO_GROUP = -1
SPLIT_CODES = {None: NO_SPLIT} | {split: code for code, split in enumerate(SPLITS)}
VERSION = 4  # added to the kind of path where there is a version
_NO_PATH, _BY_ID, _OWN_PATH = range(3)
_STRETCH = 4096


class Place(NamedTuple):
    """Where an image is, see :class:`ImageItem`; the path as text."""

    id: str
    path: str | None
    version: str | None


class Shard(NamedTuple):
    """Columns of up to ``SHARD`` images; row i of each belongs together.

    Attributes:
        ids: Names.
        labels: As they were given, integers (n,).
        splits: Positions in ``SPLITS``, or ``NO_SPLIT``; integers (n,).
        groups: Numbers of the groups, or ``NO_GROUP``; integers (n,).
        kinds: Whether there is a path, and how it is known; whether there is a version; integers (n,).
        paths: The paths that do not follow from root and id, and nothing for all others.
        versions: The versions, and nothing where there is none.
    """

    ids: Pack
    labels: np.ndarray
    splits: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray
    paths: Pack
    versions: Pack

    @property
    def arrays(self) -> list[np.ndarray]:
        """All that it holds, as arrays of one axis."""
        packs = (self.ids, self.paths, self.versions)
        texts = [part for pack in packs for part in (np.frombuffer(pack.data, np.uint8), pack.ends)]
        return [*texts, self.labels, self.splits, self.groups, self.kinds]

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray]) -> Self:
        """Puts together what ``arrays`` took apart."""
        packs = [Pack(arrays[i].data, arrays[i + 1]) for i in (0, 2, 4)]
        labels, splits, groups, kinds = arrays[6:]
        return cls(packs[0], labels, splits, groups, kinds, *packs[1:])

    @property
    def nbytes(self) -> int:
        """What it takes in memory, without what a few objects take."""
        return sum(array.nbytes if array.strides != (0,) else array.itemsize for array in self.arrays)

    def place(self, row: int, root: str) -> Place:
        """Returns the id of an image, its path and its version."""
        name = self.ids.text(row)
        kind = self.kinds.item(row)
        version = self.versions.text(row) if kind & VERSION else None
        kind %= VERSION
        if kind == _NO_PATH:
            return Place(name, None, version)
        return Place(name, self.paths.text(row) if kind == _OWN_PATH else os.path.join(root, name), version)


class Columns(NamedTuple):
    """All images of a source.

    Attributes:
        shards: All of ``SHARD`` images, but the last.
        groups: The names of the groups.
        root: Folder of paths that follow from the ids.
        labels: What each label that was given stands for, the last for -1; None = for itself.
    """

    shards: Sequence[Shard]
    groups: Sequence[str]
    root: str
    labels: np.ndarray | None

    @property
    def length(self) -> int:
        """Number of images."""
        return sum(len(shard.labels) for shard in self.shards)


class ShardBuilder:
    """Takes up the images of a shard one by one."""

    def __init__(self) -> None:
        self._ids, self._paths, self._versions = PackBuilder(), PackBuilder(), PackBuilder()
        self._labels, self._groups = array("i"), array("i")
        self._splits, self._kinds = array("b"), array("b")

    def __len__(self) -> int:
        return len(self._ids)

    def add(
        self,
        name: str,
        label: int,
        *,
        split: int,
        group: int,
        path: str | None,
        version: str | None,
        root: str,
    ) -> None:
        """Adds an image by its columns."""
        kind, own_path = _NO_PATH, ""
        if path == os.path.join(root, name):
            kind = _BY_ID
        elif path is not None:
            kind, own_path = _OWN_PATH, path
        self._ids.add(name)
        self._labels.append(label)
        self._splits.append(split)
        self._groups.append(group)
        self._kinds.append(kind if version is None else kind | VERSION)
        self._paths.add(own_path)
        self._versions.add(version or "")

    def finish(self) -> Shard:
        """Returns what was added."""
        labels, groups = (np.frombuffer(column, np.intc) for column in (self._labels, self._groups))
        splits, kinds = (np.frombuffer(column, np.int8) for column in (self._splits, self._kinds))
        return Shard(
            ids=self._ids.finish(),
            labels=compact(labels),
            splits=compact(splits),
            groups=compact(groups),
            kinds=compact(kinds),
            paths=self._paths.finish(),
            versions=self._versions.finish(),
        )


class ImageList(LazySequence[ImageItem]):
    """Images in order, in about the bytes of their ids and ten more for each.

    A part of it shares the columns, and is pickled without the rest. A long list stands in a file without a
    name, which is gone with the last part.
    """

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: Columns, rows: Positions) -> None:
        """Made by :class:`pipeline.images.listing.ImageListBuilder`."""
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

    def places(self) -> Iterator[Place]:
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
