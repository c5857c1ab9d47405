"""What stage one took a source to hold: said before the work begins, and kept for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.images import BadImage, LeftOut
from pipeline.images.manifest import Manifest
from pipeline.images.row_table import count_classes
from pipeline.wording import counted, readable, several, verb

MOST_LINES = 12
"""Most classes of which each has a line of its own; of more only the largest and the smallest are named."""
UNREADABLE = "images that cannot be read"
SHOWN = 3
"""Names that are given of many."""


@dataclass(frozen=True, eq=False)
class Understood:
    """What a source holds, as it was understood.

    Attributes:
        dataset: Name of the data set.
        classes: k class names.
        counts: By split, images of each class, int (k,).
        unlabelled: By split, images without a label.
        left_out: What stands in the source and is not among these images.
        told: The source's own remarks on how it was read.
        chosen: Which splits are not the source's own.
    """

    dataset: str
    classes: tuple[str, ...]
    counts: dict[str, np.ndarray]
    unlabelled: dict[str, int]
    left_out: tuple[LeftOut, ...] = ()
    told: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    @classmethod
    def of(cls, manifest: Manifest, dataset: str) -> Understood:
        """Counts what a manifest holds; no file is read."""
        source = manifest.source
        found = {
            split: count_classes(rows.labels, len(source.classes)) for split, rows in manifest.splits.items()
        }
        return cls(
            dataset=dataset,
            classes=tuple(source.classes),
            counts={split: counts for split, (counts, _) in found.items()},
            unlabelled={split: count for split, (_, count) in found.items()},
            left_out=tuple(source.left_out),
            told=tuple(source.notes),
            chosen=manifest.notes,
        )

    def without(self, manifest: Manifest, failures: Sequence[BadImage]) -> Understood:
        """Moves images that turned out to be unreadable to what is left out."""
        if not failures:
            return self
        names = [one.id for one in failures]
        lost = {split: count_classes(labels, len(self.classes)) for split, labels in _labels(manifest, names)}
        return replace(
            self,
            counts={split: counts - lost[split][0] for split, counts in self.counts.items()},
            unlabelled={split: count - lost[split][1] for split, count in self.unlabelled.items()},
            left_out=(*self.left_out, LeftOut(UNREADABLE, len(names), tuple(names[:SHOWN]))),
        )

    @property
    def lines(self) -> list[str]:
        """The counts, as people read them: a table of a few lines."""
        images = sum(int(counts.sum()) for counts in self.counts.values()) + sum(self.unlabelled.values())
        sizes = f"{counted(images, 'image')}, {counted(len(self.classes), 'class')}"
        table = [("", *self.counts)]
        table += [(readable(self.classes[i], 32), *self._of(i)) for i in self._shown]
        if any(self.unlabelled.values()):
            table.append(("(no label)", *(f"{count:,}" for count in self.unlabelled.values())))
        first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = [
            f"  {name:{first}}"
            + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, others, strict=True))
            for name, *cells in table
        ]
        if hidden := len(self.classes) - len(self._shown):
            lines.insert(SHOWN + 1, f"  ... and {counted(hidden, 'class')} between (all of them with --json)")
        return [f"{readable(self.dataset)}: {sizes}", *lines]

    @property
    def remarks(self) -> list[str]:
        """What the source does not say by itself: where splits are from, and what the counts give."""
        found = [*self.chosen]
        for split, counts in self.counts.items():
            if counts.any() and (empty := [self.classes[i] for i in np.flatnonzero(counts == 0)]):
                found.append(f"no images in {split} of: {several(empty, SHOWN)}")
        rows = {split: count for split, count in self.unlabelled.items() if count}
        if total := sum(rows.values()):
            where = ", ".join(f"{split} {count:,}" for split, count in rows.items())
            found.append(
                f"{counted(total, 'image')} without a label ({where}): features are cached, but "
                f"{verb(total, 'it is', 'they are')} neither learnt from nor measured on"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Returns the keys that ``extract --json`` adds."""
        counts = {split: column.tolist() for split, column in self.counts.items()}
        return {
            "classes": {
                name: {split: column[i] for split, column in counts.items()}
                for i, name in enumerate(self.classes)
            },
            "unlabelled": dict(self.unlabelled),
            "left_out": [
                {"what": one.what, "count": one.count, "examples": list(one.examples)}
                for one in self.left_out
            ],
            "notes": [*self.told, *self.remarks],
        }

    @cached_property
    def _shown(self) -> Sequence[int]:
        """The classes that have a line: all, or those with most and with fewest images."""
        if len(self.classes) <= MOST_LINES:
            return range(len(self.classes))
        totals = np.sum(list(self.counts.values()), axis=0)
        order = np.argsort(-totals, kind="stable")
        return [*order[:SHOWN].tolist(), *order[-SHOWN:].tolist()]

    def _of(self, index: int) -> list[str]:
        return [f"{counts[index]:,}" for counts in self.counts.values()]


def _labels(manifest: Manifest, names: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Returns, for each split of a manifest, the labels of those images that are named."""
    wanted = {*names}.difference(bad.id for bad in manifest.unreadable)  # these are in no split
    found = []
    for split, rows in manifest.splits.items():
        at = [row for row, name in enumerate(rows.ids) if name in wanted] if wanted else []
        found.append((split, rows.labels[np.array(at, int)]))
    return found
