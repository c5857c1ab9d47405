"""Answered images: what is known of them whatever kind of head has answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TextIO

import numpy as np

from pipeline.heads import Familiarity, TrainedHead
from pipeline.heads._core.familiarity import WHY_UNKNOWN
from pipeline.images import BadImage
from pipeline.spec import FeatureSpec
from pipeline.wording import counted, verb

TOP = 5
"""Classes that are named for each image where nobody says how many."""
NOTES = 10
UNKNOWN = f"whether images are like those of the training is {WHY_UNKNOWN}"


@dataclass(frozen=True, eq=False, kw_only=True)
class AnsweredImages(ABC):
    """Answers for images; a class for each kind of target says what they are and what they look like.

    Attributes:
        head: Name of the head.
        dataset: Name of the data set it was trained on.
        spec: What determined the features.
        classes: Names of the k classes, labels or numbers.
        ids: Names of the n images that were answered, in the order they were given.
        failures: The images that were not, in order.
        trained_on: bool (n,), images that the head was trained on; None where that is not known.
        familiar_by: What tells images that are like those of the training from others; None where that is not
            known of this head.
        familiarity: float64 (n,), how near each image is to those of the training; None likewise.
        remarks: What the pixel range of the data set costs an image, by its name; most have none.
        evidence: What was drawn of the evidence of an image, by its name: see :meth:`of_each`.
    """

    MEANINGLESS: ClassVar[str]
    """What means nothing of images unlike anything the head was trained on."""
    PICTURE: ClassVar[str]
    """Name of a picture of evidence: ``number`` and ``stem`` of the image, ``place`` and ``name`` in it."""

    head: str
    dataset: str
    spec: FeatureSpec
    classes: tuple[str, ...]
    ids: list[str]
    failures: list[BadImage]
    trained_on: np.ndarray | None = None
    familiar_by: Familiarity | None = None
    familiarity: np.ndarray | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    @abstractmethod
    def ask(head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns what a head of this kind answers to new features (n, ...), float64 (n, k)."""

    @staticmethod
    @abstractmethod
    def chosen(head: TrainedHead, values: np.ndarray) -> list[int]:
        """Returns which of k values, float64 (k,), an image is answered with, the strongest first."""

    @staticmethod
    @abstractmethod
    def of_each(names: Sequence[str], things: Sequence[Any]) -> Any:
        """Puts together things that there are of each chosen answer, by their names."""

    @staticmethod
    def in_sets(bounds: Any, values: np.ndarray) -> np.ndarray | None:
        """Tells which answers belong to the set of each image, bool (n, k); None where there are no sets."""
        return None

    @abstractmethod
    def said(self, image: int, *, top: int = TOP) -> dict[str, Any]:
        """Returns what the head says of an image, as JSON.

        Args:
            image: Its place.
            top: Classes to name; all labels and numbers are.
        """

    def bounded(self, image: int) -> dict[str, Any]:
        """Returns how sure that is where ``--coverage`` asks for it, as JSON; empty where not."""
        return {}

    @abstractmethod
    def line(self, image: int, *, top: int = TOP) -> str:
        """Says in a line what is in an image, without its name; ``top`` as for :meth:`said`."""

    @abstractmethod
    def write_csv(self, file: TextIO, *, top: int = TOP) -> None:
        """Writes one CSV row an image."""

    @property
    def familiar(self) -> list[bool | None]:
        """Whether each image is like those the head was trained on; None where that is not known."""
        if self.familiar_by is None or self.familiarity is None:
            return [None] * len(self.ids)
        return (self.familiarity >= self.familiar_by.threshold).tolist()

    @property
    def seen(self) -> list[bool | None]:
        """Whether the head was trained on each very image; None where that is not known."""
        return [None] * len(self.ids) if self.trained_on is None else self.trained_on.tolist()

    def is_strange(self, image: int) -> bool:
        """Tells whether an image is known to be unlike anything the head was trained on."""
        return self.familiar[image] is False

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks without which the answers would mislead."""
        notes = []
        if self.spec.weights.startswith("random:"):
            notes.append(
                f"RANDOM FILTERS ({self.spec.weights}): the base was never trained; expect poor answers"
            )
        notes += self._on_values()
        if self.trained_on is not None and self.trained_on.any():
            notes.append(
                f"the head was trained on {self.trained_on.sum():,} of {counted(len(self.ids), 'image')}, "
                "so it knows their answers"
            )
        notes += [*self._on_familiarity(), *self._on_bounds()]
        told = [f"{name!r}: {remark}" for name, remark in self.remarks.items()]
        if len(told) > NOTES:
            told[NOTES:] = [f"... and {counted(len(told) - NOTES, 'more image')} (all of them with --json)"]
        return (*notes, *told)

    def to_json(self, *, top: int = TOP) -> dict[str, Any]:
        """Returns the object that ``pipeline predict --json`` prints; names are as they are.

        Args:
            top: Classes to name for each image, the most probable first; all labels and numbers are named.
        """
        seen, familiar = self.seen, self.familiar
        return {
            "head": self.head,
            "dataset": self.dataset,
            **self._about(),
            "familiarity": None if self.familiar_by is None else self.familiar_by.rule,
            **self._about_bounds(),
            "images": [
                {
                    "id": name,
                    **self.said(i, top=top),
                    "trained_on": seen[i],
                    "familiar": familiar[i],
                    "familiarity": None if self.familiarity is None else float(self.familiarity[i]),
                    **self.bounded(i),
                    **self._remark(name),
                }
                for i, name in enumerate(self.ids)
            ],
            "unreadable": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
        }

    @property
    def familiar_columns(self) -> dict[str, list[Any]]:
        """Columns of CSV on familiarity, empty where it is not known."""
        return {
            "familiar": [{None: "", True: "yes", False: "no"}[one] for one in self.familiar],
            "familiarity": [""] * len(self.ids) if self.familiarity is None else self.familiarity.tolist(),
        }

    @abstractmethod
    def _about(self) -> dict[str, Any]:
        """Returns what the JSON says of the answers of all images."""

    def _about_bounds(self) -> dict[str, Any]:
        return {}

    def _on_values(self) -> list[str]:
        return []

    def _on_bounds(self) -> list[str]:
        return []

    def _on_familiarity(self) -> list[str]:
        if self.familiar_by is None:
            return [UNKNOWN]
        strange = self.familiar.count(False)
        if not strange:
            return []
        return [
            f"{strange:,} of {counted(len(self.ids), 'image')} {verb(strange)} unlike anything the head was "
            f"trained on ({self.familiar_by.line}): {self.MEANINGLESS} mean nothing"
        ]

    def _remark(self, name: str) -> dict[str, Any]:
        known: dict[str, Mapping[str, Any]] = {"remark": self.remarks, "evidence": self.evidence}
        return {key: values[name] for key, values in known.items() if name in values}
