"""The rows of some splits as one table, a block after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.cache.features import FeatureSet, single_specs
from pipeline.images.targets import CLASS, COLUMN
from pipeline.progress import progress

BLOCK_BYTES = 16 << 20
COLUMNS = ("id", "sha256", "split", "label", "group", "view")
"""What is known of each row beside its features and targets; an unknown label and no group are empty."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows that follow one another.

    Attributes:
        features: (b, d) in the stored dtype, a row an image.
        columns: By the names of the table's columns, b texts each; ``view`` holds numbers, and so do targets,
            or None.
    """

    features: np.ndarray
    columns: dict[str, list[Any]]

    @property
    def lines(self) -> Iterator[tuple[Any, ...]]:
        """What is known of each row, in the order of the table's columns."""
        return zip(*self.columns.values(), strict=True)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The rows of some splits, one below the other.

    Attributes:
        splits: At least one, of one entry or of the same several cuts.
    """

    splits: Sequence[FeatureSet]

    def __len__(self) -> int:
        return sum(map(len, self.splits))

    @property
    def targets(self) -> list[str]:
        """Names of the columns of several labels, or of numbers; none where images have classes."""
        first = self.splits[0]
        return [] if first.target == CLASS else [f"{COLUMN}{name}" for name in first.classes]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of what is known of each row."""
        return (*COLUMNS, *self.targets)

    @property
    def width(self) -> int:
        """Number of features of a row."""
        return int(np.prod(self.splits[0].feature_shape))

    @property
    def dtype(self) -> np.dtype:
        """Stored dtype of the features."""
        return np.dtype(self.splits[0].features.dtype)

    @property
    def metadata(self) -> str:
        """What determines the features, and what labels mean, as JSON."""
        first = self.splits[0]
        specs = single_specs(first.spec)
        told = {
            "dataset": first.dataset,
            "classes": list(first.classes),
            "feature_shape": list(first.feature_shape),
            "dtype": self.dtype.name,
            "spec": [asdict(spec) for spec in specs],
            "rows": {split.split: len(split) for split in self.splits},
        }
        if first.target != CLASS:
            told["target"] = first.target
        return json.dumps(told)

    def blocks(self) -> Iterator[Block]:
        """Yields all rows, each checked against its checksum, and shows how far it is.

        Raises:
            CacheMismatchError: A row is damaged.
        """
        size = max(1, BLOCK_BYTES // max(1, self.width * self.dtype.itemsize))
        with progress("export", len(self), "rows") as advance:
            for split in self.splits:
                for start in range(0, len(split), size):
                    index = np.arange(start, min(start + size, len(split)))
                    columns = split.rows.take(index).columns(split.split, split.classes)
                    yield Block(split.read(index).reshape(len(index), -1), columns)
                    advance(len(index))
