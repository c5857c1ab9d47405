"""Feeding rows to a network: from memory where they fit, else streamed from the feature file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Protocol

import numpy as np

from pipeline.heads._core.class_balance import class_weights
from pipeline.heads._core.examples import Examples, read_finite, shuffled_runs
from pipeline.memory import available_bytes
from pipeline.options import one_of
from pipeline.progress import say
from pipeline.runtimes.keras import import_keras

ALL, ONE = "all", "one"
"""Which rows of an image an epoch shows: the image and each of its augmented views, or one of them."""

ViewChoice = Annotated[str, one_of(ALL, ONE)]

BLOCK_ROWS = 256
MEMORY_SHARE = 0.35
"""Share of the available memory up to which features are read whole: the backend holds a second copy for a
moment, and the network needs room as well."""


class Chunk(NamedTuple):
    """Rows that are in the memory of the device together.

    Attributes:
        features: Tensor (n, *feature shape) in the stored dtype.
        labels: Tensor int32 (n,).
        weights: Tensor float32 (n,).
        order: int64 (k,), the rows that take their turn, in that order.
    """

    features: Any
    labels: Any
    weights: Any
    order: np.ndarray


class Feed(Protocol):
    """Rows for training or validation."""

    @property
    def labels(self) -> np.ndarray:
        """Classes, int (n,)."""
        ...

    @property
    def weights(self) -> np.ndarray:
        """What each row counts in the loss, float32 (n,)."""
        ...

    @property
    def images(self) -> np.ndarray | None:
        """Which image each row is of, int (n,), where an epoch shows one row of each; None = all rows."""
        ...

    def chunks(self, random: np.random.Generator, *, batch_size: int) -> Iterator[Chunk]:
        """Yields the rows of an epoch in random order; all chunks but the last hold whole batches."""
        ...

    def blocks(self) -> Iterator[np.ndarray]:
        """Yields the features in row order, at most ``BLOCK_ROWS`` at a time, in the stored dtype."""
        ...


def one_of_each(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draws one row of each image.

    Args:
        images: Which image each row is of, int (n,): itself or an augmented view.
        random: Draws.

    Returns:
        Row numbers, int64, one for each image, ascending.
    """
    order = np.lexsort((random.random(len(images)), images))
    starts = np.flatnonzero(np.diff(images[order], prepend=-1))
    return np.sort(order[starts])


@dataclass(frozen=True, eq=False)
class MemoryFeed:
    """Rows in memory, brought to the device once.

    Attributes:
        images: Which image each row is of, int (n,), where an epoch shows one row of each; None = all rows.
    """

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    images: np.ndarray | None = None

    @cached_property
    def _tensors(self) -> tuple[Any, Any, Any]:
        return _tensors(self.features, self.labels, self.weights)

    def chunks(self, random: np.random.Generator, *, batch_size: int) -> Iterator[Chunk]:
        """Yields the rows of an epoch as one chunk."""
        if self.images is None:
            yield Chunk(*self._tensors, random.permutation(len(self.labels)))
        else:
            yield Chunk(*self._tensors, random.permutation(one_of_each(self.images, random)))

    def blocks(self) -> Iterator[np.ndarray]:
        """Yields views of the features."""
        for start in range(0, len(self.labels), BLOCK_ROWS):
            yield self.features[start : start + BLOCK_ROWS]


@dataclass(frozen=True, eq=False)
class StreamFeed:
    """Rows that stay on disk; two chunks are in memory, one to learn from and the one read ahead.

    Runs of neighbouring rows are shuffled, and the rows of the many runs of a chunk among each other.

    Attributes:
        chunk_bytes: Size of a chunk, roughly.
        images: Which image each row is of, int (n,), where an epoch shows one row of each; None = all rows.
    """

    rows: Examples
    weights: np.ndarray
    chunk_bytes: int
    images: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """Labels of the rows, int64 (n,)."""
        return self.rows.labels

    def chunks(self, random: np.random.Generator, *, batch_size: int) -> Iterator[Chunk]:
        """Yields chunks, reading one ahead."""
        row_bytes = _bytes(self.rows) // max(len(self.rows), 1)
        order = np.concatenate(shuffled_runs(len(self.rows), row_bytes, random))
        if self.images is not None:
            order = order[np.isin(order, one_of_each(self.images, random))]
        size = max(self.chunk_bytes // max(row_bytes, 1) // batch_size, 1) * batch_size
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = reader.submit(self._read, parts[0])
            for number, part in enumerate(parts, start=1):
                tensors = _tensors(ahead.result(), self.labels[part], self.weights[part])
                if number < len(parts):
                    ahead = reader.submit(self._read, parts[number])
                yield Chunk(*tensors, random.permutation(len(part)))

    def blocks(self) -> Iterator[np.ndarray]:
        """Yields the rows as they are read."""
        for start in range(0, len(self.rows), BLOCK_ROWS):
            yield self._read(np.arange(start, min(start + BLOCK_ROWS, len(self.rows))))

    def _read(self, positions: np.ndarray) -> np.ndarray:
        return read_finite(self.rows.source, self.rows.index[positions])


def open_feeds(
    train: Examples, valid: Examples | None, *, class_weight: str | None, views: str = ALL
) -> tuple[Feed, Feed | None]:
    """Decides where the rows are read from while a network learns.

    Args:
        train: Rows to learn from.
        valid: Rows that decide when to stop.
        class_weight: ``balanced``: each class counts the same in the loss; none: every row does.
        views: ``all``: an epoch shows every row; ``one``: of each image one of its rows, drawn anew.
    """
    both = [train] if valid is None else [train, valid]
    total, limit = sum(map(_bytes, both)), int(available_bytes() * MEMORY_SHARE)
    streamed = total > limit
    if streamed:
        say(f"note: {total / 1e9:.1f} GB of features exceed the share of the memory for them: streaming")
    of_class = class_weights(train.labels, class_weight).astype(np.float32)
    feeds: list[Feed] = []
    for rows in both:
        weights = of_class[rows.labels]
        images = _images(rows) if views == ONE and rows is train else None
        feeds.append(
            StreamFeed(rows, weights, limit // 4, images)
            if streamed
            else MemoryFeed(rows.read(), rows.labels, weights, images)
        )
    return feeds[0], feeds[1] if valid is not None else None


def _images(rows: Examples) -> np.ndarray:
    """Numbers the images that rows are of, int64 (n,): views have the digest of their image."""
    digests = np.ascontiguousarray(rows.source.rows.digests[rows.index])
    return np.unique(digests.view(f"V{digests.shape[1]}").reshape(-1), return_inverse=True)[1]


def _bytes(rows: Examples) -> int:
    features = rows.source.features
    return len(rows) * math.prod(features.shape[1:]) * features.dtype.itemsize


def _tensors(features: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[Any, Any, Any]:
    to_tensor = import_keras().ops.convert_to_tensor
    return to_tensor(features), to_tensor(labels, "int32"), to_tensor(weights)
