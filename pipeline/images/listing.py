"""Listing images: one by one into columns, which go to a file where they would fill the memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pipeline.images.image_list import NO_GROUP, SPLIT_CODES, Columns, ImageList, Shard, ShardBuilder
from pipeline.images.packed_strings import SHARD, PackedStrings
from pipeline.images.sequences import KEPT_BYTES, Span, Spill
from pipeline.images.source import SPLITS, ImageItem


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
