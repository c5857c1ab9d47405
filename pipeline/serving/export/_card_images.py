"""What a model card says of the images: how many of each class, label or number each split has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.features import Selection
from pipeline.heads import TrainedHead
from pipeline.images.targets import CLASS, LABELS, NOUNS, NUMBER, count_targets
from pipeline.serving.export._markdown import shown, table
from pipeline.wording import counted

MOST_CLASSES = 100
_WITHOUT = {
    CLASS: "without a label",
    LABELS: "no label known",
    NUMBER: "no number known",
}
_PLURALS = {CLASS: "classes", LABELS: "labels", NUMBER: "numbers"}


def images_section(trained: TrainedHead, features: Selection | None) -> Iterator[str]:
    """Yields the paragraphs on the images of a head.

    Args:
        trained: The head, which knows how many rows of each class it was trained on.
        features: The features it was trained on, which know the splits; None = not at hand.
    """
    yield f"{counted(trained.train_rows, 'row')} of {shown(trained.dataset)}{_distinct(trained)}."
    target, rows = trained.task.target, dict(zip(trained.classes, trained.class_counts, strict=True))
    if features is None:
        yield "How many images each split has is not on record: the model was exported without its features."
        yield from _lines(target, rows, trained.train_rows, {})
        return
    splits = {split: features.open(split) for split in features.splits}
    yield "Images in the cache at the export, without augmented views:"
    yield from _lines(target, rows, trained.train_rows, splits)
    if (train := splits.get("train")) is not None and int(train.known.sum()) != trained.train_rows:
        yield "The training split has changed since the head was trained."


def _distinct(trained: TrainedHead) -> str:
    if trained.seen is None:
        return "; how many different images that are is not on record"
    learnt, chosen = trained.seen.counts
    return f": {counted(learnt, 'different image')}; it was validated on {chosen:,}"


def _images(part: FeatureSet) -> dict[str, int]:
    """Counts the images of a split by class, label or number; those without any stand at the end."""
    originals = part.rows.views == 0
    if part.target == CLASS:
        labels = part.labels[originals]
        counts = np.bincount(labels[labels >= 0], minlength=len(part.classes))
        without = int((labels < 0).sum())
    else:
        counts, without = count_targets(part.targets[originals], part.target)
    named = dict(zip(part.classes, counts.tolist(), strict=True))
    return named | ({_WITHOUT[part.target]: without} if without else {})


def _lines(
    target: str, rows: Mapping[str, int], trained_on: int, splits: Mapping[str, FeatureSet]
) -> Iterator[str]:
    """Writes the table, what has the most rows first, and all images at its end.

    An image has one class, but several labels or numbers, so their counts do not add up to images.
    """
    counted_in = {split: _images(part) for split, part in splits.items()}
    columns = [rows, *counted_in.values()]
    names = dict.fromkeys(
        [*sorted(rows, key=lambda name: -rows[name]), *(n for one in counted_in.values() for n in one)]
    )
    lines = [[name, *(f"{column.get(name, 0):,}" for column in columns)] for name in names]
    totals = [trained_on, *(int((part.rows.views == 0).sum()) for part in splits.values())]
    noun = NOUNS[target]
    yield table(
        [*lines[:MOST_CLASSES], ["all", *(f"{total:,}" for total in totals)]],
        (noun, "rows trained on", *splits),
    )
    if (more := len(lines) - MOST_CLASSES) > 0:
        yield f"... and {counted(more, f'more {noun}', f'more {_PLURALS[target]}')}."
