"""What a model card says of the images: how many of each class there are in each split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.features import Selection
from pipeline.heads import TrainedHead
from pipeline.serving.export._markdown import shown, table
from pipeline.wording import counted

MOST_CLASSES = 100
WITHOUT_LABEL = "without a label"


def images_section(trained: TrainedHead, features: Selection | None) -> Iterator[str]:
    """Yields the paragraphs on the images of a head.

    Args:
        trained: The head, which knows how many rows of each class it was trained on.
        features: The features it was trained on, which know the splits; None = not at hand.
    """
    yield f"{counted(trained.train_rows, 'row')} of {shown(trained.dataset)}{_distinct(trained)}."
    rows = dict(zip(trained.classes, trained.class_counts, strict=True))
    if features is None:
        yield "How many images each split has is not on record: the model was exported without its features."
        yield from _classes(rows, {})
        return
    splits = {split: features.open(split) for split in features.splits}
    yield "Images in the cache at the export, without augmented views:"
    yield from _classes(rows, {split: _images(part) for split, part in splits.items()})
    if (train := splits.get("train")) is not None and int((train.labels >= 0).sum()) != trained.train_rows:
        yield "The training split has changed since the head was trained."


def _distinct(trained: TrainedHead) -> str:
    if trained.seen is None:
        return "; how many different images that are is not on record"
    learnt, chosen = trained.seen.counts
    return f": {counted(learnt, 'different image')}; it was validated on {chosen:,}"


def _images(part: FeatureSet) -> dict[str, int]:
    """Counts the images of a split by class; those without a label are a class of their own at the end."""
    labels = part.labels[part.rows.views == 0]
    counts = np.bincount(labels[labels >= 0], minlength=len(part.classes)).tolist()
    unlabelled = int((labels < 0).sum())
    return dict(zip(part.classes, counts, strict=True)) | ({WITHOUT_LABEL: unlabelled} if unlabelled else {})


def _classes(rows: Mapping[str, int], splits: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Writes the table, the classes with the most rows first, and the sums of all of them at its end."""
    names = dict.fromkeys(
        [*sorted(rows, key=lambda name: -rows[name]), *(n for one in splits.values() for n in one)]
    )
    columns = [rows, *splits.values()]
    lines = [[name, *(f"{column.get(name, 0):,}" for column in columns)] for name in names]
    sums = ["all", *(f"{sum(column.values()):,}" for column in columns)]
    yield table([*lines[:MOST_CLASSES], sums], ("class", "rows trained on", *splits))
    if len(lines) > MOST_CLASSES:
        yield f"... and {counted(len(lines) - MOST_CLASSES, 'more class', 'more classes')}."
