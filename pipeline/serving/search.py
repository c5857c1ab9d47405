"""Searching stored images: those most like a new one, among all of some splits, none left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.descriptions import Descriptions
from pipeline.cache.entries import Entry
from pipeline.cache.features import Selection
from pipeline.cache.finding import find_entries
from pipeline.cache.halves import widen
from pipeline.cache.mapped_features import MappedFeatures
from pipeline.hardware import cores
from pipeline.serving.known import known_of
from pipeline.spec import FeatureSpec

BLOCK_NUMBERS = 1 << 17
"""Features that a core looks at in one step: in float32 they stay in its cache."""
BLOCK_ROWS = 256
"""Rows of maps, which are averaged first."""
SPARE = 16
"""How many more than asked for are looked at again, exactly: the first pass rounds."""


@dataclass(frozen=True)
class Hit:
    """A stored image that is like a new one.

    Attributes:
        features: The split that it stands in.
        row: Its row there.
        similarity: Cosine, 1 for the same image.
    """

    features: FeatureSet
    row: int
    similarity: float

    def to_json(self) -> dict[str, Any]:
        """Returns where it stands and what is known of it."""
        return {
            "dataset": self.features.dataset,
            "split": self.features.split,
            "id": self.features.rows.ids[self.row],
            **known_of(self.features, self.row),
            "similarity": self.similarity,
        }


def like_in_cache(chosen: Selection) -> list[Selection]:
    """Finds the features of the same spec in a cache, one selection a data set, that of ``chosen`` first."""
    specs = [entry.spec.plain for entry in chosen.entries]
    found: dict[str, dict[FeatureSpec, Entry]] = {}
    for entry in find_entries(chosen.entries[0].cache, lambda entry: entry.spec.plain in specs):
        found.setdefault(entry.dataset, {}).setdefault(entry.spec.plain, entry)
    found.pop(chosen.dataset, None)
    others = [
        Selection(tuple(cuts[spec] for spec in specs)) for cuts in found.values() if len(cuts) == len(specs)
    ]
    return [chosen, *others]


def search(splits: Sequence[FeatureSet], asked: np.ndarray, count: int) -> list[list[Hit]]:
    """Finds the stored images that are most like new ones; augmented views are none.

    All rows are compared, straight from the mapped files and in blocks, so that memory holds a number for
    each and not their features. The best are read once more, checked and compared exactly.

    Args:
        splits: Features of one spec.
        asked: Features of m new images, (m, ...), of that spec.
        count: How many for each; all where there are fewer.

    Returns:
        For each new image the hits, the most similar first.

    Raises:
        CacheMismatchError: A row that is found is damaged.
    """
    if not splits or not len(asked):
        return [[] for _ in asked]
    descriptions = Descriptions.of(splits[0])
    wanted = descriptions.describe(asked)
    found: list[list[Hit]] = [[] for _ in asked]
    for features in splits:
        roughly = _similarities(features, descriptions, wanted)
        roughly[features.rows.views > 0] = -np.inf
        most = min(count + SPARE, int(np.count_nonzero(features.rows.views == 0)))
        for image in range(len(asked)):
            best = np.argpartition(-roughly[:, image], most - 1)[:most] if most else np.arange(0)
            best.sort()
            exactly = descriptions.describe(features.read(best)) @ wanted[image]
            found[image] += [
                Hit(features, int(row), min(1.0, float(one))) for row, one in zip(best, exactly, strict=True)
            ]
    return [sorted(hits, key=lambda hit: -hit.similarity)[:count] for hits in found]


def _similarities(features: FeatureSet, descriptions: Descriptions, wanted: np.ndarray) -> np.ndarray:
    """Returns the cosines of all rows with some descriptions, float32 (n, m)."""
    from threadpoolctl import threadpool_limits

    result = np.zeros((len(features), len(wanted)), np.float32)
    # BLAS has one thread: blocks are so small that its own would only wait for each other.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cores()) as pool:
        tasks = [
            pool.submit(_compare, rows, result[first : first + len(rows)], descriptions, wanted)
            for first, rows in _pieces(features, cores())
        ]
        for task in tasks:
            task.result()
    return result


def _pieces(features: FeatureSet, count: int) -> Iterator[tuple[int, _Piece]]:
    """Yields about so many pieces of the features, each with its first row; nothing is read yet."""
    stored, first = features.features, 0
    if not isinstance(stored, MappedFeatures) or len(stored.cuts) > 1:
        files: Sequence[np.ndarray | MappedFeatures] = [stored]
    else:
        files = stored.cuts[0]
    for file in files:
        size = max(1, -(-len(file) // count))
        for start in range(0, len(file), size):
            yield first + start, _Piece(file, start, min(start + size, len(file)))
        first += len(file)


def _compare(rows: _Piece, result: np.ndarray, descriptions: Descriptions, wanted: np.ndarray) -> None:
    """Writes the cosines of rows with some descriptions into float32 (n, m)."""
    flat = len(descriptions.shapes) == 1 and len(descriptions.shapes[0]) == 1
    size = max(1, BLOCK_NUMBERS // descriptions.width) if flat else BLOCK_ROWS
    buffer = np.empty((size, descriptions.width), np.float32)
    for start in range(0, len(rows), size):
        block = rows.read(start, start + size)
        if flat:  # the lengths are those of the products, so that nothing is divided a feature at a time
            wide = buffer[: len(block)]
            widen(block, wide)
            lengths = np.sqrt(np.vecdot(wide, wide))
            products = wide @ wanted.T / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
        else:
            products = descriptions.describe(block) @ wanted.T
        result[start : start + len(block)] = products


@dataclass(frozen=True, eq=False)
class _Piece:
    """Rows of a file from ``first`` to ``end``."""

    file: np.ndarray | MappedFeatures
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first

    def read(self, start: int, end: int) -> np.ndarray:
        """Returns some of the rows; of a plain file they are not copied."""
        return self.file[self.first + start : min(self.first + end, self.end)]
