"""Classes of unequal size: their weights, which of them a head can learn, and what knowing nothing gives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.images.row_table import count_classes
from pipeline.options import Check
from pipeline.wording import counted, readable, several, verb

Balanced = Annotated[str, Check("balanced", lambda value: value == "balanced")]
"""Type of the option ``class_weight``: ``balanced``, or none."""

RARE = 0.5


def class_weights(labels: np.ndarray, class_weight: str | None) -> np.ndarray:
    """Returns what a row of each class counts, float64 (m,), so that all n rows count n in sum.

    Args:
        labels: int (n,), 0..m-1, each of which occurs.
        class_weight: ``balanced``: every class counts the same in sum; none: every row does.
    """
    counts = np.bincount(labels)
    return np.ones(len(counts)) if class_weight is None else len(labels) / (len(counts) * counts)


def row_weights(labels: np.ndarray, class_weight: str | None) -> np.ndarray:
    """Returns what each row counts, float64 (n,), see :func:`class_weights`."""
    return class_weights(labels, class_weight)[labels]


def is_rare(rows: Any, total: int, classes: int) -> Any:
    """Tells whether a class is rare: it has less than half of the rows that it would have were all alike.

    Args:
        rows: Its rows; or those of many classes, int (k,).
        total: Rows of all classes.
        classes: Number of classes.

    Returns:
        bool; or bool (k,).
    """
    return rows < RARE * total / classes


@dataclass(frozen=True, eq=False)
class ClassBalance:
    """The labelled rows of each class, split by split; augmented views are not counted.

    Attributes:
        classes: k class names.
        counts: By split, rows of each class, int (k,).
        unlabelled: By split, rows that no head learns from and no figure counts.
    """

    classes: tuple[str, ...]
    counts: dict[str, np.ndarray]
    unlabelled: dict[str, int]

    @classmethod
    def of(cls, train: FeatureSet, val: FeatureSet | None = None) -> ClassBalance:
        """Counts the rows to learn from and those to choose by, which share their classes."""
        counts, unlabelled = {}, {}
        for split, part in {"train": train, "val": val}.items():
            if part is not None:
                labels = part.labels[part.rows.views == 0]
                counts[split], unlabelled[split] = count_classes(labels, len(train.classes))
        return cls(tuple(train.classes), counts, unlabelled)

    @property
    def missing(self) -> tuple[str, ...]:
        """Classes without training rows: no head can ever answer them."""
        return self._names(self.counts["train"] == 0)

    @property
    def majority(self) -> str:
        """The class with the most training rows."""
        return self.classes[int(self.counts["train"].argmax())]

    @property
    def majority_accuracy(self) -> float | None:
        """Share of the labelled val rows that are of :attr:`majority`; None without any."""
        val = self.counts.get("val")
        if val is None or not val.sum():
            return None
        return float(val[self.counts["train"].argmax()] / val.sum())

    @property
    def rare(self) -> tuple[str, ...]:
        """Classes of which there are few training rows beside the others."""
        train = self.counts["train"]
        return self._names((train > 0) & is_rare(train, train.sum(), len(train)))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures has to know."""
        found = []
        for split, rows in self.unlabelled.items():
            if rows:
                have, count = verb(rows, "has", "have"), verb(rows, "is", "are")
                use = "learnt from" if split == "train" else "measured on"
                found.append(f"{counted(rows, 'row')} of {split} {have} no label and {count} not {use}")
        if self.missing:
            its = verb(self.missing, "its", "their")
            found.append(
                f"no training rows of class {several(self.missing)}: {its} probability will always be 0, and "
                f"so will the accuracy on {its} rows"
            )
        if self.rare:
            few = f"few training rows of {several(self.rare)}"
            found.append(f"{few}: {self._constant}" if self._constant else few)
        return tuple(found)

    def missed(self, not_found: Collection[str]) -> tuple[str, ...]:
        """Says which classes were learnt and never found in val.

        Args:
            not_found: Classes that have val rows, none of which is right.
        """
        names = [name for name in not_found if name not in self.missing]
        if not names:
            return ()
        said = f"nothing was found of {several(names)} in val"
        return (said if self.rare or not self._constant else f"{said}; {self._constant}",)

    def to_json(self) -> dict[str, Any]:
        """Returns the keys that ``--json`` of train-head and sweep has of it."""
        return {
            "unlabelled": self.unlabelled,
            "classes_without_training_rows": list(self.missing),
            "majority_class": self.majority,
            "majority_accuracy": self.majority_accuracy,
        }

    @property
    def _constant(self) -> str:
        """What knowing nothing would give, in words; empty without labelled val rows."""
        if self.majority_accuracy is None:
            return ""
        return (
            f"always answering {readable(self.majority)} would have {self.majority_accuracy:.2%} of val right"
        )

    def _names(self, chosen: np.ndarray) -> tuple[str, ...]:
        return tuple(self.classes[i] for i in np.flatnonzero(chosen))
