"""Predictions: the classes of many images, and what they look like as JSON, CSV and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from pipeline.answers import most_probable, write_answers
from pipeline.heads import Familiarity, Temperature
from pipeline.heads._core.familiarity import WHY_UNKNOWN
from pipeline.images import BadImage
from pipeline.spec import FeatureSpec
from pipeline.wording import counted, verb

if TYPE_CHECKING:
    from pipeline.evaluation.conformal import ConformalSets

NOTES = 10
UNKNOWN = f"whether images are like those of the training is {WHY_UNKNOWN}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """What a head says about images.

    Attributes:
        head: Name of the head.
        dataset: Name of the data set it was trained on.
        spec: What determined the features.
        classes: The k class names.
        ids: Names of the n images that were answered, in the order they were given.
        probabilities: float64 (n, k).
        failures: The images that were not, in order.
        trained_on: bool (n,), images that the head was trained on; None where that is not known.
        temperature: What the probabilities are calibrated with; None where they are not.
        familiar_by: What tells images that are like those of the training from others; None where that is not
            known of this head.
        familiarity: float64 (n,), how near each image is to those of the training; None likewise.
        sets_by: What makes the conformal sets; None where none were asked for.
        members: bool (n, k), the classes of the set of each image; None likewise.
        remarks: What the pixel range of the data set costs an image, by its name; most have none.
        evidence: The picture of what spoke for the first class of an image, by its name; where it was drawn.
    """

    head: str
    dataset: str
    spec: FeatureSpec
    classes: tuple[str, ...]
    ids: list[str]
    probabilities: np.ndarray
    failures: list[BadImage]
    trained_on: np.ndarray | None = None
    temperature: Temperature | None = None
    familiar_by: Familiarity | None = None
    familiarity: np.ndarray | None = None
    sets_by: ConformalSets | None = None
    members: np.ndarray | None = None
    remarks: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each image."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def familiar(self) -> list[bool | None]:
        """Whether each image is like those the head was trained on; None where that is not known."""
        if self.familiar_by is None or self.familiarity is None:
            return [None] * len(self.ids)
        return (self.familiarity >= self.familiar_by.threshold).tolist()

    def is_strange(self, image: int) -> bool:
        """Tells whether an image is known to be unlike anything the head was trained on."""
        return self.familiar[image] is False

    def set_of(self, image: int) -> list[str] | None:
        """Returns the classes in the set of an image, the most probable first; None without sets."""
        if self.members is None:
            return None
        row = self.probabilities[image]
        return [self.classes[i] for i in most_probable(row, len(row)) if self.members[image, i]]

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks without which the answers would mislead."""
        notes = []
        if self.spec.weights.startswith("random:"):
            notes.append(
                f"RANDOM FILTERS ({self.spec.weights}): the base was never trained; expect poor answers"
            )
        if self.temperature is not None:
            notes.append(f"probabilities are calibrated: {self.temperature.line}")
        if self.trained_on is not None and self.trained_on.any():
            notes.append(
                f"the head was trained on {self.trained_on.sum():,} of {counted(len(self.ids), 'image')}, "
                "so it knows their answers"
            )
        notes += self._on_familiarity()
        if self.sets_by is not None:
            notes += self.sets_by.notes(self.classes)
        told = [f"{name!r}: {remark}" for name, remark in self.remarks.items()]
        if len(told) > NOTES:
            told[NOTES:] = [f"... and {counted(len(told) - NOTES, 'more image')} (all of them with --json)"]
        notes += told
        return tuple(notes)

    def _on_familiarity(self) -> list[str]:
        if self.familiar_by is None:
            return [UNKNOWN]
        strange = self.familiar.count(False)
        if not strange:
            return []
        return [
            f"{strange:,} of {counted(len(self.ids), 'image')} {verb(strange)} unlike anything the head was "
            f"trained on ({self.familiar_by.line}): their classes mean nothing"
        ]

    def to_json(self, *, top: int) -> dict[str, Any]:
        """Returns the object that ``pipeline predict --json`` prints; names are as they are.

        Args:
            top: Classes to name for each image, the most probable first.
        """
        return {
            "head": self.head,
            "dataset": self.dataset,
            "temperature": None if self.temperature is None else self.temperature.value,
            "familiarity": None if self.familiar_by is None else self.familiar_by.rule,
            **({} if self.sets_by is None else {"sets": self.sets_by.to_json(self.classes)}),
            "images": [
                {
                    "id": name,
                    "top": named(self.probabilities[i], self.classes, top),
                    "trained_on": self._trained_on[i],
                    "familiar": self.familiar[i],
                    "familiarity": None if self.familiarity is None else float(self.familiarity[i]),
                    **({} if self.members is None else {"set": self.set_of(i)}),
                    **self._remark(name),
                }
                for i, name in enumerate(self.ids)
            ],
            "unreadable": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
        }

    @property
    def _trained_on(self) -> list[bool | None]:
        return [None] * len(self.ids) if self.trained_on is None else self.trained_on.tolist()

    def _remark(self, name: str) -> dict[str, str]:
        known = {"remark": self.remarks, "evidence": self.evidence}
        return {key: values[name] for key, values in known.items() if name in values}

    def write_csv(self, file: TextIO, *, top: int) -> None:
        r"""Writes one CSV row an image, with the columns and the quoting of ``predictions.csv``.

        Up to 100 classes have a column ``p(<class>)`` each; of more, the most probable are named. Behind them
        stand ``familiar`` and ``familiarity``, empty where they are not known, and ``set`` where sets were
        asked for, its classes separated by bars.

        Args:
            file: Where to.
            top: Classes to name where there are more than 100.
        """
        count = len(self.ids)
        known = {
            "familiar": [{None: "", True: "yes", False: "no"}[one] for one in self.familiar],
            "familiarity": [""] * count if self.familiarity is None else self.familiarity.tolist(),
        }
        if self.members is not None:
            known["set"] = ["|".join(self.set_of(i) or ()) for i in range(count)]
        write_answers(file, self.classes, self.ids, self.probabilities, top=top, more=known)


def named(probabilities: np.ndarray, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Returns the most probable classes with their names, as JSON."""
    best = most_probable(probabilities, count)
    return [{"class": classes[i], "probability": float(probabilities[i])} for i in best]
