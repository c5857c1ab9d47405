"""The columns of a list of images, in shards: what is known of each image, and where it is."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from pipeline.images.packed_strings import Pack, PackBuilder
from pipeline.images.sequences import compact
from pipeline.images.source import SPLITS

NO_SPLIT = NO_GROUP = -1
SPLIT_CODES = {None: NO_SPLIT} | {split: code for code, split in enumerate(SPLITS)}
VERSION = 4  # added to the kind of path where there is a version
_NO_PATH, _BY_ID, _OWN_PATH = range(3)


class ImagePlace(NamedTuple):
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

    def place(self, row: int, root: str) -> ImagePlace:
        """Returns the id of an image, its path and its version."""
        name = self.ids.text(row)
        kind = self.kinds.item(row)
        version = self.versions.text(row) if kind & VERSION else None
        kind %= VERSION
        if kind == _NO_PATH:
            return ImagePlace(name, None, version)
        return ImagePlace(
            name, self.paths.text(row) if kind == _OWN_PATH else os.path.join(root, name), version
        )


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
