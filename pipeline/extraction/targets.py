"""The rows that stage one is to bring about, and where the features of a batch go among them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cache.shards import RowMap
from pipeline.errors import PipelineError
from pipeline.extraction.load import Batch, Loader
from pipeline.extraction.plan import Block, FileGroup, rows_an_image
from pipeline.images import ImageItem
from pipeline.images.image_list import ImageList
from pipeline.images.manifest import Manifest
from pipeline.images.row_table import RowTable


@dataclass(frozen=True, eq=False)
class TargetRows:
    """TargetRows rows; row g counts through the files in order.

    Attributes:
        rows: By the name of the shard, its rows; at least one shard.
        items: The image of each wanted row g.
    """

    rows: dict[str, RowTable]
    items: Sequence[ImageItem]

    @property
    def keys(self) -> np.ndarray:
        """Identifies the features of each wanted row, void (G,)."""
        return np.concatenate([rows.keys for rows in self.rows.values()])

    @property
    def views(self) -> np.ndarray:
        """Number of each wanted row's view, uint8 (G,)."""
        return np.concatenate([rows.views for rows in self.rows.values()])

    @property
    def digests(self) -> np.ndarray:
        """uint8 (G, 32), SHA-256 of each wanted row's image."""
        return np.concatenate([rows.digests for rows in self.rows.values()])

    def count(self, mask: np.ndarray) -> dict[str, int]:
        """Counts the True values of a mask, bool (G,), per shard."""
        by_file = RowMap([len(rows) for rows in self.rows.values()]).by_file(mask)
        return {name: int(own.sum()) for name, own in zip(self.rows, by_file, strict=True)}


def target_rows(
    manifest: Manifest, group: FileGroup, without: Collection[str] = (), *, views: int = 0
) -> TargetRows:
    """Lists what the files of a group shall hold.

    Args:
        manifest: Images of all splits.
        group: The files.
        without: Names of images to leave out; the only file of a split with no other image is left out, too.
        views: Augmented views of each *training* image, which follow it; other splits have none.
    """
    rows: dict[str, RowTable] = {}
    items: list[ImageList] = []
    for span in group:
        listed, split = manifest.splits[span.shard.split], span.shard.split
        keep = np.arange(span.start, span.stop)
        if without:
            names = listed.ids[span.start : span.stop]
            keep = keep[np.array([name not in without for name in names], bool)]
        if len(keep) or span.shard.count > 1:
            each = rows_an_image(split, views)
            index = np.repeat(keep, each)
            numbers = np.tile(np.arange(each, dtype=np.uint8), len(keep))
            rows[span.shard.name] = replace(listed.take(index), views=numbers)
            items.append(manifest.items[split].take(index))
    return TargetRows(rows, ImageList.joined(items) if items else [])


@dataclass(frozen=True, eq=False)
class BatchSlice:
    """The rows of a block that go through the base together.

    Attributes:
        block: The block.
        start: First row, counted within the block.
        last: Whether the block is complete after it.
    """

    block: Block
    start: int
    last: bool


def slices_of(blocks: Sequence[Block], batch_size: int) -> list[BatchSlice]:
    """Cuts blocks into batches."""
    return [
        BatchSlice(block, start, start + batch_size >= len(block))
        for block in blocks
        for start in range(0, len(block), batch_size)
    ]


def rows_to_load(pieces: Sequence[BatchSlice], batch_size: int) -> list[np.ndarray]:
    """Lists, per batch, the rows that are to be loaded, int (n,) with n <= batch size."""
    return [piece.block.rows[piece.start : piece.start + batch_size] for piece in pieces]


def scatter(
    piece: BatchSlice, batch: Batch, features: Sequence[np.ndarray], loader: Loader
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Picks what one batch gives to each cut.

    Args:
        piece: What was wanted of the batch.
        batch: What was loaded.
        features: Per cut, (batch size, *feature shape).
        loader: Knows the names of the images.

    Yields:
        Per cut, wanted rows, int (m,), ascending, and their features, (m, *feature shape).

    Raises:
        PipelineError: Features overflow the stored dtype.
    """
    for targets, computed in zip(piece.block.targets, features, strict=True):
        rows, chosen = _scattered(targets, piece.start, batch.loaded, computed)
        finite = np.isfinite(chosen).all(axis=tuple(range(1, chosen.ndim)))
        if not finite.all():
            row = int(rows[~finite][0])
            raise PipelineError(
                f"features of {loader.items[row].id} (row {row}) are not finite in {chosen.dtype}: "
                "use --store float32, or --precision float32 if they overflow there too. "
                "All finished rows are kept"
            )
        yield rows, chosen


def _scattered(
    targets: np.ndarray, start: int, loaded: np.ndarray, features: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    position = targets[:, 0] - start
    inside = (position >= 0) & (position < len(loaded))
    inside[inside] = loaded[position[inside]]
    position = position[inside]
    whole = len(position) and np.array_equal(position, np.arange(position[0], position[0] + len(position)))
    chosen = features[position[0] : position[0] + len(position)] if whole else features[position]
    return targets[inside, 1], chosen
