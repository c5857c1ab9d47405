"""What stage one took a source to hold: said before the work begins, and kept for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.images import BadImage, LeftOut
from pipeline.images.manifest import Manifest
from pipeline.images.row_table import RowTable, count_classes
from pipeline.images.targets import CLASS, LABELS, NOUNS, NUMBER, count_targets, described, spans_of
from pipeline.wording import counted, number_text, readable, several, verb

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
        images: By split, how many there are.
        target: What is known of an image, see ``images/targets.py``. Where it is no class, ``counts`` are the
            images that have each label, or of which each number is known.
        spans: By split, least, middle and greatest value of each number, float (k, 3); empty where there are
            none.
    """

    dataset: str
    classes: tuple[str, ...]
    counts: dict[str, np.ndarray]
    unlabelled: dict[str, int]
    left_out: tuple[LeftOut, ...] = ()
    told: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    images: dict[str, int] = field(default_factory=dict)
    target: str = CLASS
    spans: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest, dataset: str) -> Understood:
        """Counts what a manifest holds; no file is read."""
        source, target = manifest.source, manifest.target
        found = {split: _counted(rows, manifest) for split, rows in manifest.splits.items()}
        return cls(
            dataset=dataset,
            classes=tuple(source.classes),
            counts={split: counts for split, (counts, _) in found.items()},
            unlabelled={split: count for split, (_, count) in found.items()},
            left_out=tuple(source.left_out),
            told=tuple(source.notes),
            chosen=manifest.notes,
            images={split: len(rows) for split, rows in manifest.splits.items()},
            target=target,
            spans={split: spans_of(rows.targets) for split, rows in manifest.splits.items()}
            if target == NUMBER
            else {},
        )

    def without(self, manifest: Manifest, failures: Sequence[BadImage]) -> Understood:
        """Moves images that turned out to be unreadable to what is left out."""
        if not failures:
            return self
        names = [one.id for one in failures]
        named = _named(manifest, names)
        gone = {split: rows.take(np.flatnonzero(named[split])) for split, rows in manifest.splits.items()}
        lost = {split: _counted(rows, manifest) for split, rows in gone.items()}
        return replace(
            self,
            spans={split: spans_of(manifest.splits[split].targets[~named[split]]) for split in self.spans},
            counts={split: counts - lost[split][0] for split, counts in self.counts.items()},
            unlabelled={split: count - lost[split][1] for split, count in self.unlabelled.items()},
            images={split: count - len(gone[split]) for split, count in self.images.items()},
            left_out=(*self.left_out, LeftOut(UNREADABLE, len(names), tuple(names[:SHOWN]))),
        )

    @property
    def lines(self) -> list[str]:
        """The counts, as people read them: a table of a few lines."""
        sizes = f"{counted(sum(self.images.values()), 'image')}, {counted(len(self.classes), self._noun)}"
        if self.target == LABELS:
            sizes += f" ({described(self.target)})"
        table = [("", *self.counts)]
        table += [(readable(self.classes[i], 32), *self._of(i)) for i in self._shown]
        if any(self.unlabelled.values()):
            table.append(
                (
                    "(unknown)" if self.target == NUMBER else "(no label)",
                    *(f"{count:,}" for count in self.unlabelled.values()),
                )
            )
        first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = [
            f"  {name:{first}}"
            + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, others, strict=True))
            for name, *cells in table
        ]
        if hidden := len(self.classes) - len(self._shown):
            lines.insert(
                SHOWN + 1, f"  ... and {counted(hidden, self._noun)} between (all of them with --json)"
            )
        return [f"{readable(self.dataset)}: {sizes}", *lines]

    @property
    def _noun(self) -> str:
        return NOUNS[self.target]

    @property
    def remarks(self) -> list[str]:
        """What the source does not say by itself: where splits are from, and what the counts give."""
        found = [*self.chosen]
        for split, counts in self.counts.items():
            if counts.any() and (empty := [self.classes[i] for i in np.flatnonzero(counts == 0)]):
                found.append(f"no images in {split} of: {several(empty, SHOWN)}")
        rows = {split: count for split, count in self.unlabelled.items() if count}
        if total := sum(rows.values()):
            noun = "number" if self.target == NUMBER else "label"
            where = ", ".join(f"{split} {count:,}" for split, count in rows.items())
            found.append(
                f"{counted(total, 'image')} without a {noun} ({where}): features are cached, but "
                f"{verb(total, 'it is', 'they are')} neither learnt from nor measured on"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Returns the keys that ``extract --json`` adds."""
        counts = {split: column.tolist() for split, column in self.counts.items()}
        spans = {
            split: [[None if np.isnan(one) else one for one in row] for row in span.tolist()]
            for split, span in self.spans.items()
        }
        more: dict[str, Any] = {} if self.target == CLASS else {"target": self.target}
        if spans:
            more["spans"] = {
                name: {
                    split: dict(zip(("least", "middle", "greatest"), span[i], strict=True))
                    for split, span in spans.items()
                }
                for i, name in enumerate(self.classes)
            }
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
            **more,
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
        if self.spans:
            return [self._span(split, index) for split in self.spans]
        return [f"{counts[index]:,}" for counts in self.counts.values()]

    def _span(self, split: str, index: int) -> str:
        """Says what values a number has, and of how few images it is known where others are of more."""
        least, middle, greatest = self.spans[split][index].tolist()
        if np.isnan(middle):
            return "unknown"
        known = int(self.counts[split][index])
        of = f", {known:,} known" if known < self.images[split] - self.unlabelled[split] else ""
        return f"{number_text(middle)} ({number_text(least)} to {number_text(greatest)}{of})"


def _counted(rows: RowTable, manifest: Manifest) -> tuple[np.ndarray, int]:
    """Returns the images of each class, label or number, int (k,), and how many have none."""
    if manifest.target == CLASS:
        return count_classes(rows.labels, len(manifest.source.classes))
    return count_targets(rows.targets, manifest.target)


def _named(manifest: Manifest, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Tells which rows of each split of a manifest are those of images that are named, bool (n,)."""
    wanted = {*names}.difference(bad.id for bad in manifest.unreadable)  # these are in no split
    return {
        split: np.fromiter((name in wanted for name in rows.ids), bool, len(rows))
        if wanted
        else np.zeros(len(rows), bool)
        for split, rows in manifest.splits.items()
    }
