"""A sample of another source: ``sample:500:photos/`` is 500 of its images, of every class its share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.image_list import ImageList, list_images
from pipeline.images.source import SPLITS, ImageItem, ImageSource, ListedSource, targets_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import known_rows
from pipeline.wording import counted

ADDRESS = "sample:COUNT:ADDRESS, some images of any of these"

OPTIONS: tuple[str, ...] = tuple(field.name for field in fields(SourceOptions))

_TEST = SPLITS.index("test")
_FORM = re.compile(r"sample:(\d{1,9}):(.+)", re.DOTALL)


def claims(uri: str) -> bool:
    """Tells whether the address begins with ``sample:``."""
    return uri.startswith("sample:")


def open_uri(uri: str, options: SourceOptions) -> SampleSource:
    """Opens the other source and draws from it.

    Raises:
        UsageError: The address has another form, or the other source cannot be used.
    """
    from pipeline.images.sources import open_source

    found = _FORM.fullmatch(uri)
    if found is None or not int(found[1]):
        raise UsageError(f"{uri!r} is no sample: write sample:COUNT:ADDRESS, for example sample:500:photos/")
    return draw(open_source(found[2], options), int(found[1]))


def draw(whole: ImageSource, count: int) -> SampleSource:
    """Draws images of which a label or number is known, and that the source does not state to be test images.

    Every class of every stated split has its share, and at least one image where there is room. Where images
    have several labels, or numbers, those that have the same ones have their share, too; as an image is often
    the only one that has them, none is sure to be drawn. Which images are depends on their names alone: a
    larger sample holds the smaller one, and images that are added move few others.

    Args:
        whole: The source.
        count: How many images, at least 1; all where there are no more.
    """
    items = list_images(whole.items())
    targets = targets_of(whole)
    known = items.labels >= 0 if targets is None else known_rows(targets.of(items.labels))
    usable = np.flatnonzero(known & (items.splits != _TEST))
    drawn = usable[_first(items.take(usable), count, each_has_one=targets is None)]
    sizes = f"{len(drawn):,} of {counted(len(usable), 'labelled image')}"
    return SampleSource(
        uri=f"sample:{count}:{whole.uri}",
        name=f"{whole.name}-sample-{count}",
        classes=whole.classes,
        notes=(f"a sample of {whole.name}: {sizes}, none that is stated to be of test",),
        listed=items.take(drawn),
        whole=whole,
        targets=targets,
    )


def _first(items: ImageList, count: int, *, each_has_one: bool) -> np.ndarray:
    """Returns positions of images, int (n,) ascending: of each class and split the same share.

    Args:
        items: The images.
        count: How many.
        each_has_one: One of each class and split comes before the second of any other.
    """
    strata = items.labels.astype(np.int64) * (len(SPLITS) + 1) + items.splits
    marks = np.fromiter(map(_mark, items.ids), np.uint64, len(items))
    order = np.lexsort((marks, strata))
    _, starts, sizes = np.unique(strata[order], return_index=True, return_counts=True)
    # The end of a name's mark says nothing of its place, which the beginning decides: a lot of its own.
    lots = np.zeros(len(starts)) if each_has_one else (marks[order][starts] % (1 << 32)) / (1 << 32)
    depth = np.empty(len(items))
    places = np.arange(len(items)) - np.repeat(starts, sizes)
    depth[order] = (places + np.repeat(lots, sizes)) / np.repeat(sizes, sizes)
    return np.sort(np.lexsort((marks, depth))[:count])


def _mark(name: str) -> int:
    """Returns a number that says where an image stands in the draw."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8, person=b"sample 1")
    return int.from_bytes(digest.digest(), "little")


@dataclass(frozen=True, eq=False, kw_only=True)
class SampleSource(ListedSource):
    """Some images of another source.

    Attributes:
        whole: The other source, which reads them.
    """

    whole: ImageSource = field(repr=False)

    def read(self, item: ImageItem) -> bytes | np.ndarray:
        """Reads an image as the other source does."""
        return self.whole.read(item)
