"""Predictions: the classes of many images, and what they look like as JSON, CSV and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

import numpy as np

from pipeline.answers import most_probable, write_answers
from pipeline.heads import Temperature
from pipeline.images import BadImage
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

NOTES = 10


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
        remarks: What the pixel range of the data set costs an image, by its name; most have none.
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
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each image."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

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
        told = [f"{name!r}: {remark}" for name, remark in self.remarks.items()]
        if len(told) > NOTES:
            told[NOTES:] = [f"... and {counted(len(told) - NOTES, 'more image')} (all of them with --json)"]
        notes += told
        return tuple(notes)

    def to_json(self, *, top: int) -> dict[str, Any]:
        """Returns the object that ``pipeline predict --json`` prints; names are as they are.

        Args:
            top: Classes to name for each image, the most probable first.
        """
        return {
            "head": self.head,
            "dataset": self.dataset,
            "temperature": None if self.temperature is None else self.temperature.value,
            "images": [
                {"id": name, "top": named(row, self.classes, top), "trained_on": trained} | self._remark(name)
                for name, row, trained in zip(self.ids, self.probabilities, self._trained_on, strict=True)
            ],
            "unreadable": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
        }

    @property
    def _trained_on(self) -> list[bool | None]:
        return [None] * len(self.ids) if self.trained_on is None else self.trained_on.tolist()

    def _remark(self, name: str) -> dict[str, str]:
        return {"remark": self.remarks[name]} if name in self.remarks else {}

    def write_csv(self, file: TextIO, *, top: int) -> None:
        r"""Writes one CSV row an image, with the columns and the quoting of ``predictions.csv``.

        Up to 100 classes have a column ``p(<class>)`` each; of more, the most probable are named.

        Args:
            file: Where to.
            top: Classes to name where there are more than 100.
        """
        write_answers(file, self.classes, self.ids, self.probabilities, top=top)


def named(probabilities: np.ndarray, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Returns the most probable classes with their names, as JSON."""
    best = most_probable(probabilities, count)
    return [{"class": classes[i], "probability": float(probabilities[i])} for i in best]
