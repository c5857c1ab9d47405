"""How many images of each class every split has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.report import Report
from pipeline.heads import is_rare
from pipeline.images.row_table import count_classes
from pipeline.wording import readable

MOST_LINES = 300


@dataclass(frozen=True)
class ClassCount:
    """One class.

    Attributes:
        key: Its name as it is.
        name: Its name, fit to be shown.
        counts: Its images in each split.
        rare: Whether it has less than half the images of an even share, in the first split.
    """

    key: str
    name: str
    counts: tuple[int, ...]
    rare: bool


@dataclass(frozen=True)
class ClassCounts:
    """All classes by split; augmented views are no images of their own.

    Attributes:
        splits: The splits in order.
        totals: Images of each split, those without a label included.
        unlabelled: Images without a label of each split.
        views: Augmented views of each split.
        lines: The classes in order; of very many, those with the fewest images.
        classes: Number of classes.
        largest: The largest count, for bars.
    """

    splits: tuple[str, ...]
    totals: tuple[int, ...]
    unlabelled: tuple[int, ...]
    views: tuple[int, ...]
    lines: tuple[ClassCount, ...]
    classes: int
    largest: int

    @property
    def rows(self) -> dict[str, int]:
        """Images of each split by its name."""
        return dict(zip(self.splits, self.totals, strict=True))


def class_counts(
    report: Report, features: Mapping[str, FeatureSet], *, most: int = MOST_LINES
) -> ClassCounts:
    """Counts the images of each class by split.

    Classes are told apart by name, because a split may number them otherwise than the head does.

    Args:
        report: The evaluation, whose rows stand for its split where the features of that are not there.
        features: The splits by name.
        most: Classes that are listed; of more, those with the fewest images.
    """
    known = list(report.figures.classes)
    tables = {name: (part.rows, part.classes) for name, part in features.items()}
    tables.setdefault(report.split, (report.rows, report.figures.classes))
    names = list(dict.fromkeys([*known, *(name for _, classes in tables.values() for name in classes)]))
    place = {name: i for i, name in enumerate(names)}
    columns, unlabelled = [], []
    for rows, classes in tables.values():
        own, none = count_classes(rows.labels[rows.views == 0], len(classes))
        column = np.zeros(len(names), np.int64)
        column[[place[name] for name in classes]] = own
        columns.append(column)
        unlabelled.append(int(none))
    counts = np.stack(columns, axis=1)
    first = counts[:, 0]
    rare = is_rare(first, int(first.sum()), max(int(counts.any(axis=1).sum()), 1))
    kept = np.arange(len(names))
    if len(names) > most:
        kept = np.sort(np.argsort(counts.sum(axis=1), kind="stable")[:most])
    return ClassCounts(
        splits=tuple(tables),
        totals=tuple(
            int(labelled) + none for labelled, none in zip(counts.sum(axis=0), unlabelled, strict=True)
        ),
        unlabelled=tuple(unlabelled),
        views=tuple(int(np.count_nonzero(rows.views)) for rows, _ in tables.values()),
        lines=tuple(
            ClassCount(names[i], readable(names[i]), tuple(counts[i].tolist()), bool(rare[i])) for i in kept
        ),
        classes=len(names),
        largest=max(int(counts.max(initial=0)), 1),
    )
