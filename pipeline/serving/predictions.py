"""Predictions: the classes of many images, and what they look like as JSON, CSV and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

import numpy as np

from pipeline.answers import most_probable, write_answers
from pipeline.heads import Temperature, TrainedHead
from pipeline.serving.answered import TOP, AnsweredImages
from pipeline.wording import readable

if TYPE_CHECKING:
    from pipeline.evaluation.conformal import ConformalSets


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions(AnsweredImages):
    """What a head of classes says about images.

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

    MEANINGLESS: ClassVar[str] = "their classes"
    PICTURE: ClassVar[str] = "{number:04}-{stem}.png"

    probabilities: np.ndarray
    temperature: Temperature | None = None
    sets_by: ConformalSets | None = None
    members: np.ndarray | None = None

    @staticmethod
    def ask(head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns the probabilities of the classes of new features (n, ...), float64 (n, k)."""
        return head.predict_new(features)

    @staticmethod
    def chosen(head: TrainedHead, values: np.ndarray) -> list[int]:
        """Returns the most probable class alone, by probabilities (k,)."""
        return [int(values.argmax())]

    @staticmethod
    def of_each(names: Sequence[str], things: Sequence[Any]) -> Any:
        """Returns what there is of the one chosen class."""
        return things[0]

    @staticmethod
    def in_sets(bounds: Any, values: np.ndarray) -> np.ndarray | None:
        """Tells which classes belong to the set of each image, bool (n, k); None without sets."""
        return None if bounds is None else bounds.sets(values)

    @classmethod
    def of(cls, head: TrainedHead, values: np.ndarray, bounds: Any, **known: Any) -> Predictions:
        """Puts answers of a head together.

        Args:
            head: What answered.
            values: float64 (n, k).
            bounds: What makes conformal sets; None = there are none.
            known: What is known of the images, see :class:`AnsweredImages`.
        """
        return cls(
            head=head.name,
            probabilities=values,
            temperature=head.temperature,
            sets_by=bounds,
            members=cls.in_sets(bounds, values),
            **known,
        )

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each image."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    def set_of(self, image: int) -> list[str] | None:
        """Returns the classes in the set of an image, the most probable first; None without sets."""
        if self.members is None:
            return None
        row = self.probabilities[image]
        return [self.classes[i] for i in most_probable(row, len(row)) if self.members[image, i]]

    def said(self, image: int, *, top: int = TOP) -> dict[str, Any]:
        """Returns the most probable classes of an image, as JSON."""
        row = self.probabilities[image]
        return {
            "top": [{"class": self.classes[i], "probability": float(row[i])} for i in most_probable(row, top)]
        }

    def bounded(self, image: int) -> dict[str, Any]:
        """Returns the set of an image, as JSON; empty without sets."""
        return {} if self.members is None else {"set": self.set_of(image)}

    def line(self, image: int, *, top: int = TOP) -> str:
        """Says in a line the classes of an image with their probabilities, its set, and if it is strange."""
        row = self.probabilities[image]
        said = ", ".join(f"{readable(self.classes[i])} {row[i]:.2%}" for i in most_probable(row, top))
        if (members := self.set_of(image)) is not None:
            said += f"  {{{', '.join(map(readable, members))}}}"
        return said + ("  unlike anything seen" if self.is_strange(image) else "")

    def write_csv(self, file: TextIO, *, top: int = TOP) -> None:
        r"""Writes one CSV row an image, with the columns and the quoting of ``predictions.csv``.

        Up to 100 classes have a column ``p(<class>)`` each; of more, the most probable are named. Behind them
        stand ``familiar`` and ``familiarity``, empty where they are not known, and ``set`` where sets were
        asked for, its classes separated by bars.

        Args:
            file: Where to.
            top: Classes to name where there are more than 100.
        """
        known = self.familiar_columns
        if self.members is not None:
            known["set"] = ["|".join(self.set_of(i) or ()) for i in range(len(self.ids))]
        write_answers(file, self.classes, self.ids, self.probabilities, top=top, more=known)

    def _about(self) -> dict[str, Any]:
        return {"temperature": None if self.temperature is None else self.temperature.value}

    def _about_bounds(self) -> dict[str, Any]:
        return {} if self.sets_by is None else {"sets": self.sets_by.to_json(self.classes)}

    def _on_values(self) -> list[str]:
        known = self.temperature
        return [] if known is None else [f"probabilities are calibrated: {known.line}"]

    def _on_bounds(self) -> list[str]:
        return [] if self.sets_by is None else self.sets_by.notes(self.classes)
