"""The catalog: every readable image of a source with its digest and its split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UnreadableImagesError, UsageError
from pipeline.images import SPLITS, ImageItem, ImageSource
from pipeline.images.digests import digest_items
from pipeline.images.rows import Rows
from pipeline.images.splits import assign_splits


@dataclass(frozen=True)
class Unreadable:
    """A listed image whose file could not be read.

    Attributes:
        id: Name of the image in its source.
        split: The split that the source states for it, if any.
        reason: One line.
    """

    id: str
    split: str | None
    reason: str


@dataclass(frozen=True, eq=False)
class Catalog:
    """What a source holds, before any feature is computed.

    Attributes:
        source: Reads the items.
        splits: Rows of each split that has any, in the order train, val, test; all views are 0.
        items: The images of each split; ``items[split][i]`` is row i.
        unreadable: Images whose files could not be read; they are in no split.
    """

    source: ImageSource
    splits: dict[str, Rows]
    items: dict[str, list[ImageItem]]
    unreadable: list[Unreadable]


def take_stock(source: ImageSource, stat_cache: Path | None = None) -> Catalog:
    """Reads every image of a source once to know its digest, and chooses its split.

    Args:
        source: Lists and reads the images.
        stat_cache: SQLite file with the digests of unchanged files, extended by this call; None = no cache.

    Raises:
        UsageError: Two images have the same id, or a group stands in several splits.
        UnreadableImagesError: Not one image can be read.
    """
    items = source.items()
    _refuse_duplicates(items, source)
    digests, failures = digest_items(source, items, stat_cache=stat_cache)
    if failures and len(failures) == len(items):
        raise UnreadableImagesError(
            f"not one of the {len(items):,} images of {source.uri} can be read: "
            f"{items[0].id}: {failures[0]}; check the paths and their permissions"
        )
    readable = np.array([i for i in range(len(items)) if i not in failures], np.intp)
    assigned = np.array(assign_splits([items[i] for i in readable], digests[readable]))
    members = {split: readable[assigned == split] for split in SPLITS if (assigned == split).any()}
    return Catalog(
        source=source,
        splits={split: _rows(items, digests, index) for split, index in members.items()},
        items={split: [items[i] for i in index] for split, index in members.items()},
        unreadable=[Unreadable(items[i].id, items[i].split, reason) for i, reason in failures.items()],
    )


def _rows(items: Sequence[ImageItem], digests: np.ndarray, index: np.ndarray) -> Rows:
    return Rows(
        ids=[items[i].id for i in index],
        labels=np.array([items[i].label for i in index], np.int32),
        digests=digests[index],
        views=np.zeros(len(index), np.uint8),
        groups=[items[i].group or "" for i in index],
    )


def _refuse_duplicates(items: Sequence[ImageItem], source: ImageSource) -> None:
    if len({item.id for item in items}) < len(items):
        name, count = Counter(item.id for item in items).most_common(1)[0]
        raise UsageError(f"{source.uri} lists {name!r} {count} times: every image needs an id of its own")
