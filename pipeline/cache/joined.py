"""Several cuts of the same rows side by side, read as one set of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.cache.entries import Entry
from pipeline.cache.features import FeatureSet
from pipeline.cache.opening import open_features
from pipeline.errors import CacheMismatchError
from pipeline.images import SPLITS
from pipeline.spec import FeatureSpec


@dataclass(frozen=True, eq=False)
class Columns:
    """Stands where the array of a plain feature set stands: its shape and dtype, without its bytes.

    Attributes:
        shape: (N, total number of features of all parts).
        dtype: Stored dtype.
    """

    shape: tuple[int, int]
    dtype: np.dtype


@dataclass(frozen=True, eq=False)
class JoinedFeatureSet(FeatureSet):
    """One split's features of several entries; a row is the flat features of each, one after the other.

    Attributes:
        parts: The sets that are joined; their rows are the same.
    """

    parts: tuple[FeatureSet, ...] = ()

    def read(self, index: np.ndarray) -> np.ndarray:
        """Copies rows into memory and checks each part of each, see ``FeatureSet.read``."""
        return np.concatenate([part.read(index).reshape(len(index), -1) for part in self.parts], axis=1)


@dataclass(frozen=True)
class Selection:
    """The entries that stage two works on: one, or several cuts that are read side by side.

    Attributes:
        entries: At least one, all of the same data set.
    """

    entries: tuple[Entry, ...]
    _opened: dict[str, FeatureSet] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.entries[0].dataset

    @property
    def spec(self) -> FeatureSpec:
        """What determines the numbers: the entry's spec, or one that names all cuts."""
        return joined_spec([entry.spec for entry in self.entries])

    @property
    def splits(self) -> list[str]:
        """The splits that every entry has."""
        return [split for split in SPLITS if all(split in entry.splits for entry in self.entries)]

    def open(self, split: str) -> FeatureSet:
        """Opens a split, once; rows are mapped, not read.

        Raises:
            UsageError: An entry has no such split.
            CacheMismatchError: A file is damaged, or the entries hold different rows.
        """
        if split not in self._opened:
            parts = tuple(open_features(entry, split) for entry in self.entries)
            self._opened[split] = parts[0] if len(parts) == 1 else join_features(parts)
        return self._opened[split]


def join_features(parts: Sequence[FeatureSet]) -> FeatureSet:
    """Joins the features of the same rows.

    Raises:
        CacheMismatchError: The sets hold different rows, classes or dtypes.
    """
    first = parts[0]
    for part in parts[1:]:
        same = part.rows.equals(first.rows) and part.classes == first.classes
        if not same or part.features.dtype != first.features.dtype:
            raise CacheMismatchError(
                f"{first.path} and {part.path} hold different rows: run `pipeline extract` with both layers "
                "to bring them to the same state"
            )
    total = sum(int(np.prod(part.feature_shape)) for part in parts)
    return JoinedFeatureSet(
        features=Columns((len(first), total), first.features.dtype),
        rows=first.rows,
        crc32=np.bitwise_xor.reduce([part.crc32 for part in parts]),
        spec=joined_spec([part.spec for part in parts]),
        classes=first.classes,
        split=first.split,
        dataset=first.dataset,
        path=first.path,
        weights_file=first.weights_file,
        parts=tuple(parts),
    )


def joined_spec(specs: Sequence[FeatureSpec]) -> FeatureSpec:
    """Names several cuts of one base in one spec, the layers joined with ``+``.

    Raises:
        CacheMismatchError: The specs differ in more than their cut.
    """
    first = specs[0]
    for spec in specs[1:]:
        differing = set(first.differences(spec)) - {"layer", "pooling"}
        if differing:
            raise CacheMismatchError(
                f"cuts that differ in {', '.join(sorted(differing))} cannot be joined: "
                "choose layers of one extraction"
            )
    return replace(
        first,
        layer="+".join(spec.layer for spec in specs),
        pooling=first.pooling
        if len({spec.pooling for spec in specs}) == 1
        else "+".join(s.pooling for s in specs),
    )
