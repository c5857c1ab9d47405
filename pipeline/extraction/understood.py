"""What stage one took a source to hold: said before the work begins, and kept for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.counts import counted, verb
from pipeline.images import UNLABELLED, LeftOut
from pipeline.images.catalog import Catalog
from pipeline.names import readable, several

MOST_LINES = 12
"""Most classes of which each has a line of its own; of more only the largest and the smallest are named."""
_ENDS = 3


@dataclass(frozen=True, eq=False)
class Understood:
    """What a source holds, as it was understood.

    Attributes:
        dataset: Name of the data set.
        classes: k class names.
        counts: By split, images of each class, int (k,).
        unlabelled: By split, images without a label.
        left_out: What stands in the source and is not among the images.
        notes: Remarks on how the source was read, and on where its splits are from.
    """

    dataset: str
    classes: tuple[str, ...]
    counts: dict[str, np.ndarray]
    unlabelled: dict[str, int]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, catalog: Catalog, dataset: str) -> Understood:
        """Counts what a catalog holds; no file is read."""
        source = catalog.source
        counts, unlabelled = {}, {}
        for split, rows in catalog.splits.items():
            known = rows.labels[rows.labels != UNLABELLED]
            counts[split] = np.bincount(known, minlength=len(source.classes))
            unlabelled[split] = len(rows) - len(known)
        return cls(
            dataset=dataset,
            classes=tuple(source.classes),
            counts=counts,
            unlabelled=unlabelled,
            left_out=tuple(source.left_out),
            notes=(*source.notes, *catalog.notes),
        )

    @property
    def lines(self) -> list[str]:
        """All of it but the notes and what was left out, as people read it: a table of a few lines."""
        images = sum(map(sum, self.counts.values())) + sum(self.unlabelled.values())
        sizes = f"{counted(int(images), 'image')}, {counted(len(self.classes), 'class')}"
        title = f"{readable(self.dataset)}: {sizes}"
        table = [("", *self.counts)]
        table += [(readable(self.classes[i], 32), *self._of(i)) for i in self._shown]
        if any(self.unlabelled.values()):
            table.append(("(no label)", *(f"{count:,}" for count in self.unlabelled.values())))
        width = max(len(row[0]) for row in table)
        lines = [f"  {row[0]:{width}} " + "".join(f"{cell:>9}" for cell in row[1:]) for row in table]
        hidden = len(self.classes) - len(self._shown)
        between = (
            [f"  ... and {counted(hidden, 'class')} between (all of them with --json)"] if hidden else []
        )
        return [title, *lines[: _ENDS + 1], *between, *lines[_ENDS + 1 :]]

    @property
    def remarks(self) -> list[str]:
        """Notes that the counts give."""
        empty = {
            split: [self.classes[i] for i in np.flatnonzero(counts == 0)]
            for split, counts in self.counts.items()
            if counts.any()
        }
        rows = {split: count for split, count in self.unlabelled.items() if count}
        found = [f"no images in {split} of: {several(names)}" for split, names in empty.items() if names]
        for split, count in rows.items():
            found.append(
                f"{counted(count, 'image')} of {split} {verb(count, 'has', 'have')} no label: features are "
                f"cached, but {verb(count, 'it is', 'they are')} neither trained nor measured on"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Returns the keys that ``extract --json`` adds."""
        return {
            "classes": {
                name: {split: int(counts[i]) for split, counts in self.counts.items()}
                for i, name in enumerate(self.classes)
            },
            "unlabelled": dict(self.unlabelled),
            "left_out": [
                {"what": one.what, "count": one.count, "examples": list(one.examples)}
                for one in self.left_out
            ],
            "notes": [*self.notes, *self.remarks],
        }

    @cached_property
    def _shown(self) -> Sequence[int]:
        """The classes that have a line: all, or those with most and with fewest images."""
        if len(self.classes) <= MOST_LINES:
            return range(len(self.classes))
        totals = np.sum(list(self.counts.values()), axis=0)
        order = np.argsort(-totals, kind="stable")
        return [*order[:_ENDS].tolist(), *order[-_ENDS:].tolist()]

    def _of(self, index: int) -> list[str]:
        return [f"{counts[index]:,}" for counts in self.counts.values()]
