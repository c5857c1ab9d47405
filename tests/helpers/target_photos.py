"""Tiny photographs in a table, with several labels each or with numbers, and what stage one makes of them."""

from __future__ import annotations

from pathlib import Path

from photos import Photos

from pipeline.cache.features import Selection
from pipeline.extraction import FeatureRequest, extract
from pipeline.images.source_options import SourceOptions

NAMES = {
    "labels": ("<img src=x onerror=alert(1)>", "=red", "round"),
    "number": ("<b>age</b>", "=size"),
}
"""Names that a page and a table must not take for their own."""
COUNTS = {"train": 8, "val": 20, "test": 3}
"""Enough images of val that a head knows what is unlike its training."""


def target_photos(photos: Photos, target: str, cache: Path, *, side: int = 8) -> Selection:
    """Makes photographs with targets and their features of raw pixels, a data set named ``set``.

    Of the first image of a split nothing is known.

    Args:
        photos: Where to.
        target: ``labels`` or ``number``.
        cache: The cache.
        side: Pixels of a side.
    """
    names, lines = NAMES[target], []
    for split, count in COUNTS.items():
        for number, path in enumerate(photos.add(f"{split}/all", count)):
            marks = [str(number >> place & 1) for place in range(len(names))]
            sizes = [f"{(number + place) % (place + 2)}.5" for place in range(len(names))]
            values = marks if target == "labels" else sizes
            lines.append(",".join([str(path), split, *(values if number else [""] * len(names))]))
    table = photos.root / "table.csv"
    table.write_text("\n".join([",".join(["path", "split", *names]), *lines]) + "\n")
    made = extract(
        str(table),
        FeatureRequest(backbone="pixels", image_size=side),
        cache=cache,
        name="set",
        source_options=SourceOptions(target=target, target_column=names),
    )
    return Selection(tuple(one.entry for one in made))
