"""FeatureSet: the rows of one split, read from disk without copying them."""

from __future__ import annotations

import itertools
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.feature_file import open_mapped
from pipeline.cache.format import FeatureFile, checksums
from pipeline.cache.mapped_features import MappedFeatures, side_by_side
from pipeline.cache.shards import ShardName
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.images import SPLITS
from pipeline.images.row_table import RowTable
from pipeline.images.targets import CLASS, LABELS, PLURALS, described, known_rows
from pipeline.notebook import facts_html
from pipeline.paths import expanded
from pipeline.runtimes.pandas import import_pandas
from pipeline.spec import FeatureSpec
from pipeline.wording import first_few, number_text, readable

if TYPE_CHECKING:
    from pandas import DataFrame

ATTEMPTS = 20
PAUSE_S = 0.05
"""How often, and how long, several files are waited for while others take their places one by one."""


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """One split's features with everything that is known about each row.

    Attributes:
        features: (N, *feature shape) in the stored dtype; of several cuts flat, side by side.
        rows: Ids, labels (int32), digests and views of the N rows.
        crc32: uint32 (N,), checksum of each row's feature bytes; of several cuts (N, cuts), one for each.
        spec: What determined the numbers.
        classes: Class names, indexed by label.
        split: ``train``, ``val`` or ``test``.
        dataset: Name of the data set.
        path: The file behind it, the first of several.
        weights_file: The file of the user's that the filters of the base were read from, if it was one.
        target: What is known of each image, see ``images/targets.py``; of other targets than classes,
            ``classes`` are their names.
    """

    features: np.ndarray | MappedFeatures
    rows: RowTable
    crc32: np.ndarray
    spec: FeatureSpec
    classes: tuple[str, ...]
    split: str
    dataset: str
    path: Path
    weights_file: Path | None = None
    target: str = CLASS

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> np.ndarray:
        """int32 (N,), index into ``classes``; -1 = unlabelled.

        Raises:
            UsageError: Images have no classes here, but several labels or numbers.
        """
        if self.target != CLASS:
            raise UsageError(
                f"this works on one class an image, and {self.dataset} has {described(self.target)} "
                f"({first_few([readable(one) for one in self.classes], 3)}): "
                "`pipeline train-head`, `evaluate` and `predict` work on these"
            )
        return self.rows.labels

    def told(self, row: int) -> str | None:
        """Says what is known of the image of a row: its class, labels or numbers; None where nothing is."""
        if not self.known[row]:
            return None
        if self.target == CLASS:
            return self.classes[self.rows.labels[row]]
        values = zip(self.classes, self.rows.targets[row].tolist(), strict=True)
        if self.target == LABELS:
            return ", ".join(name for name, value in values if value == 1) or "none of the labels"
        return ", ".join(f"{name} {number_text(value)}" for name, value in values if value == value)

    @property
    def known(self) -> np.ndarray:
        """Which rows have a class, or a target that is known, bool (N,)."""
        return self.rows.labels >= 0 if self.target == CLASS else known_rows(self.rows.targets)

    @property
    def targets(self) -> np.ndarray:
        """float32 (N, k): several labels (1, 0, NaN = unknown), or numbers; (N, 0) beside classes."""
        return self.rows.targets

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of one row's features."""
        return self.features.shape[1:]

    def _repr_html_(self) -> str:
        """Shows in a notebook what the set holds."""
        facts = {
            "rows": f"{len(self):,}",
            "features": f"{self.feature_shape} in {self.features.dtype}",
            "base": f"{self.spec.backbone}, {self.spec.image_size} pixels",
            "cut": f"{self.spec.layer}:{self.spec.pooling}",
            PLURALS[
                self.target
            ]: f"{len(self.classes):,}: {first_few([readable(one) for one in self.classes], 10)}",
        }
        return facts_html(f"{self.dataset}, {self.split}", facts)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Copies rows into memory and checks each against its checksum.

        Args:
            index: Row numbers, int (n,).

        Returns:
            (n, *feature shape) in the stored dtype, in the order of ``index``.

        Raises:
            CacheMismatchError: A row's bytes are not those that were stored.
        """
        features = self.features
        cuts = features.by_cut(index) if isinstance(features, MappedFeatures) else [features[index]]
        found = np.stack([checksums(cut) for cut in cuts], axis=1)
        wrong = (found != self.crc32[index].reshape(found.shape)).any(axis=1)
        if wrong.any():
            row = int(index[np.flatnonzero(wrong)[0]])
            raise CacheMismatchError(
                f"{self.path}: row {row} ({self.rows.ids[row]}) is damaged. "
                "Run `pipeline cache verify` for the whole list; `pipeline extract` repairs it"
            )
        return side_by_side(cuts)

    def take(self, index: np.ndarray) -> FeatureSet:
        """Reads rows, int (n,), into memory, each checked, as a set of their own."""
        features = self.read(index)
        return replace(self, features=features, rows=self.rows.take(index), crc32=checksums(features))

    @property
    def cuts(self) -> tuple[FeatureSet, ...]:
        """The features of each cut by itself, where they lie on disk side by side."""
        if not isinstance(self.features, MappedFeatures) or len(self.features.cuts) == 1:
            return (self,)
        specs = single_specs(self.spec)
        return tuple(
            replace(self, features=MappedFeatures((files,)), crc32=self.crc32[:, i], spec=specs[i])
            for i, files in enumerate(self.features.cuts)
        )

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields (features, labels) of up to ``size`` rows; in random order where a seed is given."""
        order = np.arange(len(self))
        if seed is not None:
            np.random.default_rng(seed).shuffle(order)
        for start in range(0, len(self), size):
            index = order[start : start + size]
            yield self.read(index), self.labels[index]

    def to_memory(self) -> np.ndarray:
        """Returns all features as an array in the stored dtype, every row checked."""
        whole = np.empty(self.features.shape, self.features.dtype)
        for start in range(0, len(self), 1024):
            index = np.arange(start, min(start + 1024, len(self)))
            whole[index] = self.read(index)
        return whole

    def to_frame(self) -> DataFrame:
        """Returns a pandas table, a row an image: ``id, sha256, split, label, group, view``, and ``f0`` on.

        Raises:
            UsageError: pandas is not installed.
            CacheMismatchError: A row is damaged.
        """
        pandas = import_pandas()
        known = pandas.DataFrame(self.rows.columns(self.split, self.classes)).replace("", None)
        features = pandas.DataFrame(self.to_memory().reshape(len(self), -1)).add_prefix("f")
        return pandas.concat([known, features], axis=1)


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
        same = part.rows.equals(first.rows) and (part.classes, part.target) == (first.classes, first.target)
        if not same or part.features.dtype != first.features.dtype:
            raise CacheMismatchError(
                f"{first.path} and {part.path} hold different rows: run `pipeline extract` with both layers "
                "to bring them to the same state"
            )
    features = [part.features for part in parts]
    return replace(
        first,
        features=MappedFeatures(
            tuple(one.cuts[0] if isinstance(one, MappedFeatures) else (np.asarray(one),) for one in features)
        ),
        crc32=np.stack([part.crc32 for part in parts], axis=1),
        spec=joined_spec([part.spec for part in parts]),
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


def single_specs(spec: FeatureSpec) -> list[FeatureSpec]:
    """Returns the spec of each cut that a spec names, see :func:`joined_spec`; most name one."""
    layers, poolings = spec.layer.split("+"), spec.pooling.split("+")
    if len(poolings) == 1:
        poolings *= len(layers)
    return [
        replace(spec, layer=layer, pooling=pooling) for layer, pooling in zip(layers, poolings, strict=True)
    ]


def open_features(entry: Entry | str | os.PathLike[str], split: str) -> FeatureSet:
    """Opens the published features of a split; rows are mapped, not read.

    Example:
        >>> train = open_features("features_cache/photos/vgg16-150-block5_pool-1a2b3c4d", "train")
        >>> train.features[7].shape, train.labels[7], train.rows.ids[7]

    Args:
        entry: An entry, or its folder.
        split: ``train``, ``val`` or ``test``.

    Returns:
        The N rows of the split: features (N, *feature shape), labels int32 (N,).

    Raises:
        UsageError: The entry has no such split.
        CacheMismatchError: A file is damaged, incomplete, or belongs to another spec or to another state of
            the split.
    """
    if not isinstance(entry, Entry):
        entry = read_entry(expanded(entry))
    for attempt in itertools.count(1):
        shards = entry.shards.get(split)
        if shards is None:
            have = ", ".join(entry.splits) or "none"
            raise UsageError(
                f"split {split!r} is not in {entry.folder}: it holds {have}. "
                f"Run `pipeline extract --data {shlex.quote(entry.source)}` if the source has it"
            )
        try:
            layouts = [_open_shard(entry, shard) for shard in shards]
            _refuse_several_states(layouts)
        except (UsageError, CacheMismatchError):
            if attempt == ATTEMPTS or len(shards) == 1:
                raise
            time.sleep(PAUSE_S)
            continue
        return replace(_as_one(layouts), weights_file=entry.weights_file)
    raise AssertionError


def _open_shard(entry: Entry, shard: ShardName) -> FeatureFile:
    layout = open_mapped(entry.file(shard.name))
    header = layout.header
    if header.spec != entry.spec or header.shard != shard:
        different = header.spec.differences(entry.spec) or {"part": (header.shard.name, shard.name)}
        fields = ", ".join(
            f"{name}: {mine!r} in the file, {theirs!r} expected" for name, (mine, theirs) in different.items()
        )
        raise CacheMismatchError(
            f"{layout.path} does not belong here ({fields}). Run `pipeline extract` to make it anew"
        )
    if not layout.done.all():
        raise CacheMismatchError(f"{layout.path} is incomplete: run `pipeline extract` to finish it")
    return layout


_OF_ALL = ("whole", "classes", "target")
"""What all files of a split have alike."""


def _refuse_several_states(layouts: Sequence[FeatureFile]) -> None:
    """Refuses files that were made for different lists of images, which share rows or lack some."""
    first = layouts[0]
    for layout in layouts[1:]:
        if any(getattr(layout.header, one) != getattr(first.header, one) for one in _OF_ALL):
            raise CacheMismatchError(
                f"{first.path} and {layout.path.name} are of different states of the data set: "
                "run `pipeline extract` to bring them to the same"
            )


def _as_one(layouts: Sequence[FeatureFile]) -> FeatureSet:
    first, one = layouts[0], len(layouts) == 1
    return FeatureSet(
        features=first.features if one else MappedFeatures((tuple(np.asarray(f.features) for f in layouts),)),
        rows=first.rows if one else RowTable.joined([layout.rows for layout in layouts]),
        crc32=np.concatenate([layout.crc32 for layout in layouts]),
        spec=first.header.spec,
        classes=first.header.classes,
        target=first.header.target,
        split=first.header.split,
        dataset=first.header.dataset,
        path=first.path,
    )
