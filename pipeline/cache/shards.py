"""Shards: the files of a split, one or several: their names, and which rows stand in which."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.images import SPLITS

_NUMBERED = re.compile(r"(?P<split>[a-z]+)-(?P<number>[0-9]{5,})-of-(?P<count>[0-9]{5,})")


@dataclass(frozen=True, order=True)
class ShardName:
    """One file of a split.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        number: Its place among the files of the split, from 0.
        count: How many there are.
    """

    split: str
    number: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """File name without its ending: ``train``, or ``train-00000-of-00008`` where there are several."""
        return self.split if self.count == 1 else f"{self.split}-{self.number:05}-of-{self.count:05}"

    @classmethod
    def of(cls, name: str) -> ShardName | None:
        """Reads a name; None where it is no shard's."""
        shard = cls(name)
        if match := _NUMBERED.fullmatch(name):
            shard = cls(match["split"], int(match["number"]), int(match["count"]))
        known = shard.split in SPLITS and shard.number < shard.count
        return shard if known and shard.name == name else None


def shards_of(split: str, count: int) -> list[ShardName]:
    """Lists the shards of a split in so many files."""
    return [ShardName(split, number, count) for number in range(count)]


def whole_splits(names: Iterable[str]) -> dict[str, list[ShardName]]:
    """Finds, among the names of files, the splits of which no file is missing.

    While one set of files takes the place of another both may be whole for a moment: the one of more files
    counts.

    Args:
        names: File names without their endings; those that are no shard's are passed over.

    Returns:
        The shards of each split in order; splits in the order train, val, test.
    """
    found: dict[tuple[str, int], set[int]] = defaultdict(set)
    for shard in filter(None, map(ShardName.of, names)):
        found[shard.split, shard.count].add(shard.number)
    counts: dict[str, int] = defaultdict(int)
    for (split, count), numbers in found.items():
        if len(numbers) == count:
            counts[split] = max(counts[split], count)
    return {split: shards_of(split, counts[split]) for split in SPLITS if split in counts}


class RowMap:
    """Which of several files each row stands in; row g counts through the files in order."""

    def __init__(self, lengths: Sequence[int]) -> None:
        """Takes the number of rows of each file."""
        self.starts = np.cumsum([0, *lengths])
        """int (files + 1,), the first row of each file, and how many rows all have."""

    def __len__(self) -> int:
        return int(self.starts[-1])

    def split(self, rows: np.ndarray) -> Iterator[tuple[int, slice, np.ndarray]]:
        """Cuts ascending rows, int (n,), by file: (file, slice of ``rows``, row numbers in the file)."""
        for number, (low, high) in enumerate(pairwise(np.searchsorted(rows, self.starts))):
            if high > low:
                yield number, slice(low, high), rows[low:high] - self.starts[number]

    def locate(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Finds rows in any order, int (n,): the file of each, int (n,), and its row number there."""
        file = np.searchsorted(self.starts[1:], rows, side="right")
        return file, rows - self.starts[file]

    def by_file(self, values: np.ndarray) -> list[np.ndarray]:
        """Cuts what all rows have, (G, ...), into what the rows of each file have."""
        return np.split(values, self.starts[1:-1]) if len(self.starts) > 1 else []
