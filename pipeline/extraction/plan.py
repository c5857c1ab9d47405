"""Planning stage one: which rows are copied and which are computed, in which blocks. Pure functions.

Rows of all splits stand in one sequence of G wanted keys; row g of it belongs to the same image and view in
every cut. Files and images are the business of whoever executes the plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.cache.shards import ShardName, shards_of

BLOCKS_A_WORKER = 4
DEFAULT_ROWS_PER_FILE = 2**20


@dataclass(frozen=True, eq=False)
class Block:
    """A unit of work that any process can do: rows to compute once and the places each goes to.

    Attributes:
        number: Position of the block in the plan.
        rows: int (n,), one wanted row g per distinct image and view.
        targets: Per cut, int (m, 2): pairs (position in ``rows``, wanted row g to fill), sorted by g.
    """

    number: int
    rows: np.ndarray
    targets: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.rows)


def rows_in_block(batch_size: int, *, most: int, missing: int, workers: int) -> int:
    """Chooses how large blocks are.

    Args:
        batch_size: Rows that go through the base together; a block is made of whole batches, of one at least.
        most: Rows that a block shall not exceed.
        missing: Rows to compute.
        workers: Who shares them; several get so many blocks each that none waits long for the last.
    """
    if workers > 1:
        most = min(most, math.ceil(missing / (BLOCKS_A_WORKER * workers)))
    return max(1, most // batch_size) * batch_size


def plan_copies(wanted: np.ndarray, done: np.ndarray, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds wanted rows that stand elsewhere already.

    Args:
        wanted: void (G,), keys of the wanted rows.
        done: bool (G,), rows that are in place.
        stored: void (S,), keys of the rows that can be copied.

    Returns:
        (rows, sources): int (n,) wanted rows in ascending order, and for each its position in ``stored``.
    """
    missing = np.flatnonzero(~done)
    if not len(missing) or not len(stored):
        return missing[:0], missing[:0]
    order = np.argsort(stored, kind="stable")
    place = np.minimum(np.searchsorted(stored[order], wanted[missing]), len(stored) - 1)
    found = order[place]
    hit = stored[found] == wanted[missing]
    return missing[hit], found[hit]


def plan_blocks(wanted: np.ndarray, done: Sequence[np.ndarray], block_rows: int) -> list[Block]:
    """Cuts the missing rows into blocks; equal keys are computed once and written to every place.

    Args:
        wanted: void (G,), keys of the wanted rows.
        done: Per cut, bool (G,), rows that are in place.
        block_rows: Distinct rows in a block.

    Returns:
        Blocks in the order of the wanted rows; every row that some cut misses is in exactly one.
    """
    missing = np.flatnonzero(~np.logical_and.reduce(done))
    if not len(missing):
        return []
    _, first, inverse = np.unique(wanted[missing], return_index=True, return_inverse=True)
    order = np.argsort(first)
    work = missing[first[order]]
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    place = position[inverse]  # of each missing row: where in `work` its key is computed
    targets = [_targets(missing, place, ~finished[missing]) for finished in done]
    blocks = []
    for number, start in enumerate(range(0, len(work), block_rows)):
        stop = min(start + block_rows, len(work))
        inside = tuple(_between(pairs, start, stop) for pairs in targets)
        blocks.append(Block(number, work[start:stop], inside))
    return blocks


def _targets(missing: np.ndarray, place: np.ndarray, wants: np.ndarray) -> np.ndarray:
    """Pairs (place in the work, wanted row) of one cut, sorted by place."""
    pairs = np.stack([place[wants], missing[wants]], axis=1)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def _between(pairs: np.ndarray, start: int, stop: int) -> np.ndarray:
    low, high = np.searchsorted(pairs[:, 0], [start, stop])
    inside = pairs[low:high] - [start, 0]
    return inside[np.argsort(inside[:, 1], kind="stable")]


@dataclass(frozen=True)
class FileSpan:
    """The images of one file: a span of the list of a split.

    Attributes:
        shard: The file.
        start: The first image.
        stop: One more than the last.
    """

    shard: ShardName
    start: int
    stop: int

    def rows(self, views: int) -> int:
        """Counts its rows; every *training* image has so many augmented views beside itself."""
        return (self.stop - self.start) * rows_an_image(self.shard.split, views)


FileGroup = tuple[FileSpan, ...]
"""Files that are filled together."""


def rows_an_image(split: str, views: int) -> int:
    """Counts the rows of an image: itself, and in ``train`` its augmented views."""
    return 1 + (views if split == "train" else 0)


def group_files(sizes: Mapping[str, int], rows_per_file: int, *, views: int = 0) -> list[FileGroup]:
    """Cuts the splits of a source into files, and the files into groups.

    A group is made of whole files, as many as have the rows of one full file together, one at least. So a
    source that fits one file a split and is small is one group.

    Args:
        sizes: Images of each split.
        rows_per_file: Most rows of a file; one of a single image has all of its views, however many.
        views: Augmented views of each *training* image; other splits have none.
    """
    groups: list[FileGroup] = []
    rows_before = rows_per_file
    for split, images in sizes.items():
        images_per_file = max(1, rows_per_file // rows_an_image(split, views))
        for shard in shards_of(split, max(1, math.ceil(images / images_per_file))):
            start = shard.number * images_per_file
            span = FileSpan(shard, start, min(start + images_per_file, images))
            rows = span.rows(views)
            if rows_before + rows > rows_per_file:
                groups.append(())
                rows_before = 0
            groups[-1] += (span,)
            rows_before += rows
    return groups
