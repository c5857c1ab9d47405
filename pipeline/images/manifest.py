"""The manifest: every readable image of a source with its digest and its split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipeline.errors import PipelineError, UnreadableImagesError, UsageError
from pipeline.images import sequences
from pipeline.images.contents import digest_items, forget_wrong
from pipeline.images.image_list import ImageList, list_images
from pipeline.images.packed_strings import repeated
from pipeline.images.pixel_range import PixelCensus
from pipeline.images.row_table import DIGEST_BYTES, RowTable
from pipeline.images.sequences import Positions, as_run
from pipeline.images.source import SPLITS, UNLABELLED, BadImage, ImageSource, targets_of
from pipeline.images.splits import assign_splits, describe_splits
from pipeline.images.targets import CLASS, TargetTable
from pipeline.wording import counted

_STRETCH = 4096


class MisrememberedError(PipelineError):
    """Digests that an earlier run kept are wrong; they are forgotten now, and a new manifest has them right.

    Attributes:
        ids: Of the images.
        computed: Per cut, the rows of each split that were computed before it was noticed.
    """

    def __init__(self, ids: Sequence[str], computed: Sequence[Mapping[str, int]] = ()) -> None:
        super().__init__(
            f"an earlier run kept wrong digests of {counted(len(ids), 'image')} (e.g. {ids[0]!r}), which are "
            "forgotten now: run the same command again"
        )
        self.ids, self.computed = ids, computed

    def __reduce__(self) -> tuple[type[MisrememberedError], tuple[object, ...]]:
        """Rebuilds it in another process."""
        return type(self), (self.ids, self.computed)


@dataclass(frozen=True, eq=False)
class Manifest:
    """What a source holds, before any feature is computed.

    Attributes:
        source: Reads the items.
        splits: Rows of each split that has any, in the order train, val, test; all views are 0.
        items: The images of each split; ``items[split][i]`` is row i.
        unreadable: Images whose files could not be read; they are in no split.
        stat_cache: Where digests are kept from one run to the next; None = nowhere.
        census: What the pixels of more than 8 bits reach to.
        notes: Which splits are not the source's own.
        looked_again: Images whose digest was not taken from an earlier run.
    """

    source: ImageSource
    splits: dict[str, RowTable]
    items: dict[str, ImageList]
    unreadable: list[BadImage]
    stat_cache: Path | None = None
    census: PixelCensus = field(default_factory=PixelCensus)
    notes: tuple[str, ...] = ()
    looked_again: Collection[str] = ()

    @property
    def target(self) -> str:
        """What is known of the images, see ``images/targets.py``."""
        table = targets_of(self.source)
        return CLASS if table is None else table.kind

    def look_again(
        self, items: Mapping[str, bytes], computed: Callable[[], Sequence[Mapping[str, int]]] = tuple
    ) -> None:
        """Forgets digests that were kept and are wrong although the image has not changed since.

        Args:
            items: The digest in this manifest of each image in doubt, by its id.
            computed: Counts what was computed so far.

        Raises:
            MisrememberedError: There were some.
        """
        doubtful = items.keys() - set(self.looked_again)
        if self.stat_cache is None or not doubtful:
            return
        listed = [item for part in self.items.values() for item in part if item.id in doubtful]
        if wrong := forget_wrong(self.source, listed, items, stat_cache=self.stat_cache):
            raise MisrememberedError([item.id for item in wrong], computed())


def scan(
    source: ImageSource, stat_cache: Path | None = None, *, looked_again: Collection[str] = ()
) -> Manifest:
    """Reads every image of a source once to know its digest, and chooses its split.

    Args:
        source: Lists and reads the images.
        stat_cache: SQLite file with the digests of unchanged files, extended by this call; None = no cache.
        looked_again: Images that it knew wrongly, and has forgotten.

    Raises:
        UsageError: Two images have the same id, or a group stands in several splits.
        UnreadableImagesError: Not one image can be read.
    """
    items = list_images(source.items())
    _refuse_duplicates(items, source)
    census = PixelCensus()
    digests, failures = digest_items(source, items, stat_cache=stat_cache, census=census)
    if failures and len(failures) == len(items):
        raise UnreadableImagesError(
            f"not one of the {counted(len(items), 'image')} of {source.uri} can be read: "
            f"{items[0].id}: {failures[0]}; check the paths and their permissions"
        )
    unreadable = [BadImage(items[i].id, reason, split=items[i].split) for i, reason in failures.items()]
    if failures:
        readable = np.delete(np.arange(len(items)), list(failures))
        items, digests = items.take(readable), _digests_of(digests, as_run(readable))
    known = manifest_of(source, items, digests)
    return replace(
        known, unreadable=unreadable, stat_cache=stat_cache, census=census, looked_again=looked_again
    )


def manifest_of(source: ImageSource, items: ImageList, digests: np.ndarray) -> Manifest:
    """Chooses the splits of images whose digests are known.

    Args:
        source: Reads the images.
        items: N images.
        digests: uint8 (N, 32).

    Raises:
        UsageError: A group stands in several splits.
    """
    assigned = assign_splits(items, digests)
    members = {split: as_run(np.flatnonzero(assigned.codes == code)) for code, split in enumerate(SPLITS)}
    parts = {split: items.take(index) for split, index in members.items() if len(index)}
    return Manifest(
        source=source,
        splits={
            split: _rows(part, _digests_of(digests, members[split]), targets_of(source))
            for split, part in parts.items()
        },
        items=parts,
        unreadable=[],
        notes=describe_splits(items, assigned),
    )


def _digests_of(digests: np.ndarray, rows: Positions) -> np.ndarray:
    """Returns some rows of uint8 (N, 32); nothing is copied where they follow one another."""
    if isinstance(rows, range):
        return digests[rows.start : rows.stop]
    taken = sequences.zeros((len(rows), DIGEST_BYTES))
    for start in range(0, len(rows), _STRETCH):
        stretch = slice(start, start + _STRETCH)
        taken[stretch] = digests[rows[stretch]]
    return taken


def _rows(items: ImageList, digests: np.ndarray, targets: TargetTable | None) -> RowTable:
    labels = items.labels
    return RowTable(
        ids=items.ids,
        labels=labels if targets is None else np.full(len(items), UNLABELLED, np.int32),
        digests=digests,
        views=np.zeros(len(items), np.uint8),
        groups=items.groups,
        targets=None if targets is None else targets.of(labels),  # type: ignore[arg-type]
    )


def _refuse_duplicates(items: ImageList, source: ImageSource) -> None:
    if repeats := repeated(items.ids):
        name, count = Counter(items.ids[i] for i in repeats).most_common(1)[0]
        raise UsageError(f"{source.uri} lists {name!r} {count} times: every image needs an id of its own")
