"""Examples: the labelled rows of a feature set, as a head sees them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.images.targets import CLASS, known_rows, no_targets
from pipeline.spec import FeatureSpec
from pipeline.wording import counted, several, verb

T = TypeVar("T")

RUN_BYTES = 1 << 20
"""Neighbouring rows that are read together where the order is random: enough for a disk, and many of them in
what memory holds at a time."""

LARGEST = 1e15
"""Largest feature: the squares of a hundred million of them have a sum in float32."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows to learn from; nothing is read before it is asked for.

    Attributes:
        source: The feature set that holds the rows.
        index: int64 (n,), their row numbers in ``source``.
        labels: int64 (n,), 0..m-1 over the m classes that have training rows; all 0 of images with targets.
        targets: float32 (n, k), several labels or numbers of each image, NaN where one is unknown; (n, 0)
            where images have classes, and so is None.
        shared: The same rows with other labels, if any: what is made of features alone is made of these.
    """

    source: FeatureSet
    index: np.ndarray
    labels: np.ndarray
    targets: np.ndarray = None  # type: ignore[assignment]  # settled below
    shared: Examples | None = None
    _made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.targets is None:
            object.__setattr__(self, "targets", no_targets(len(self.index)))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def truth(self) -> np.ndarray:
        """What is known of the rows: labels, int64 (n,), or targets, float32 (n, k)."""
        return self.labels if self.source.target == CLASS else self.targets

    def read(self) -> np.ndarray:
        """Copies the features into memory, (n, *feature shape) in the stored dtype, and checks them."""
        return read_finite(self.source, self.index)

    def once(self, make: Callable[..., T], *arguments: Any) -> T:
        """Returns ``make(self, *arguments)``, made at the first call and kept for all later fits.

        What is made lives as long as these examples, and travels with them to other processes.
        """
        key = (make, *arguments)
        if key not in self._made:
            self._made[key] = make(self, *arguments)
        return self._made[key]

    def has(self, make: Callable[..., Any], *arguments: Any) -> bool:
        """Tells whether :meth:`once` has made it already."""
        return (make, *arguments) in self._made

    def of_label(self, label: int) -> Examples:
        """Returns the rows of which a label is known: 1 where they have it, else 0.

        Where it is known of all rows, they share what is made of features alone.
        """
        column = self.targets[:, label]
        known = ~np.isnan(column)
        labels = column[known].astype(np.int64)
        return Examples(self.source, self.index[known], labels, shared=self if known.all() else None)

    def where(self, chosen: np.ndarray) -> Examples:
        """Returns some of the rows, bool (n,), which share nothing with these."""
        return Examples(self.source, self.index[chosen], self.labels[chosen], self.targets[chosen])

    def forget(self) -> None:
        """Drops all that :meth:`once` has made."""
        self._made.clear()


def of_features(make: Callable[..., T]) -> Callable[..., T]:
    """Marks what is made of the features of rows alone: rows that share them share it."""

    @functools.wraps(make)
    def made(rows: Examples, *arguments: Any) -> T:
        return make(rows, *arguments) if rows.shared is None else rows.shared.once(made, *arguments)

    return made


def select(features: FeatureSet, classes: np.ndarray) -> Examples:
    """Picks the rows labelled with one of the given classes.

    Args:
        features: Any rows, unlabelled ones (-1) among them.
        classes: int (m,), sorted positions in ``features.classes``; they become the labels 0..m-1.
    """
    index = np.flatnonzero(np.isin(features.labels, classes))
    return Examples(features, index, np.searchsorted(classes, features.labels[index]))


def select_all(features: FeatureSet) -> Examples:
    """Picks the rows that can be measured on: those whose class, or one of whose targets, is known."""
    if features.target == CLASS:
        return select(features, np.arange(len(features.classes)))
    return select_known(features)


def select_known(features: FeatureSet) -> Examples:
    """Picks the rows of which at least one target is known."""
    index = np.flatnonzero(known_rows(features.targets))
    return Examples(features, index, np.zeros(len(index), np.int64), features.targets[index])


def read_finite(features: FeatureSet, index: np.ndarray) -> np.ndarray:
    """Reads rows and makes sure that every value is a number that can be squared and added up.

    Args:
        features: Where to read.
        index: Row numbers, int (n,).

    Returns:
        (n, *feature shape) in the stored dtype.

    Raises:
        PipelineError: A row holds NaN, infinity, or a number beyond ``LARGEST``; the message names the first.
        CacheMismatchError: A row's bytes are damaged.
    """
    block = features.read(index)
    good = _usable(block)
    if not good.all():
        row = int(index[np.argmin(good)])
        finite = np.isfinite(block[np.argmin(good)]).all()
        what = f"numbers beyond {LARGEST:g}" if finite else "NaN or infinity"
        raise PipelineError(
            f"{features.path}: the features of row {row} ({features.rows.ids[row]}) hold {what} "
            f"({counted(int(np.count_nonzero(~good)), 'such row')} among the {len(index):,} read); "
            "no head can use them. "
            "float16 ends at 65,504: extract again with float32 storage where features grow larger"
        )
    return block


def _usable(block: np.ndarray) -> np.ndarray:
    """Tells of each row (n, *feature shape) whether all of its numbers can be used, bool (n,)."""
    rows = block.reshape(len(block), math.prod(block.shape[1:]))
    if rows.dtype == np.float16 and rows.flags.c_contiguous:
        # The largest exponent is that of infinity; NumPy's own test takes seven times as long.
        return (rows.view(np.int16) & 0x7C00).max(axis=1, initial=0) < 0x7C00
    usable = np.isfinite(rows) if rows.dtype != np.float32 else np.abs(rows) <= LARGEST
    return usable.all(axis=1)


def shuffled_runs(rows: int, row_bytes: int, random: np.random.Generator) -> list[np.ndarray]:
    """Cuts positions 0..rows-1 into runs of neighbours and shuffles the runs.

    Where many runs are shuffled among each other once more, this is as good as a full shuffle, at the speed
    of reading in order.

    Args:
        rows: How many rows there are.
        row_bytes: Size of a row, of which ``RUN_BYTES`` tells the length of a run.
        random: Draws the order.

    Returns:
        int64 (k,) each, ascending; all of one length but that of the last rows.
    """
    length = max(RUN_BYTES // max(row_bytes, 1), 1)
    starts = random.permutation(math.ceil(rows / length)) * length
    return [np.arange(start, min(start + length, rows)) for start in starts]


def refuse_other_spec(features: FeatureSet, spec: FeatureSpec, *, head: str) -> None:
    """Refuses features that are not of the kind a head was trained on.

    Raises:
        CacheMismatchError: The message names the fields of the spec that differ.
    """
    differing = features.spec.differences(spec)
    if differing:
        fields = ", ".join(f"{name} {mine!r} instead of {its!r}" for name, (mine, its) in differing.items())
        raise CacheMismatchError(
            f"{features.path}: not what head {head!r} was trained on: {fields}. "
            f"Choose the entry that fits, or run `pipeline train-head --head {head}` on this one"
        )


def refuse_other_shape(features: FeatureSet, shape: tuple[int, ...], *, head: str) -> None:
    """Refuses features whose rows have another shape than those that a head was trained on.

    Raises:
        CacheMismatchError: The message names both.
    """
    if tuple(features.feature_shape) != shape:
        raise CacheMismatchError(
            f"{features.path}: its rows have shape {tuple(features.feature_shape)}, but head "
            f"{head!r} was trained on {shape}. "
            f"Run `pipeline train-head --head {head}` on these"
        )


def refuse_other_classes(features: FeatureSet, classes: tuple[str, ...]) -> None:
    """Refuses validation rows whose labels mean something else than those of the training rows.

    Raises:
        CacheMismatchError: The message names the classes that only one of the two has.
    """
    if features.classes != classes:
        alone = sorted(set(features.classes) ^ set(classes))
        what = f"only one of the two has {several(alone)}" if alone else "they stand in another order"
        raise CacheMismatchError(
            f"{features.path}: its {counted(len(features.classes), 'class')} {verb(features.classes)} not "
            f"the {len(classes):,} of the training rows: {what}. "
            "Run `pipeline extract` to make both from the same source"
        )
