"""Answers of heads of several labels or numbers for new images, and what they look like."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

import numpy as np

from pipeline.heads import TrainedHead
from pipeline.images.targets import LABELS, NUMBER
from pipeline.serving.answered import TOP, AnsweredImages
from pipeline.wording import guarded, number_text, readable

if TYPE_CHECKING:
    from pipeline.evaluation.targets.number_intervals import NumberIntervals


Column = tuple[str, Sequence[object]]
"""Name and n values; a label or number may be called like any other column, so names are no keys."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetPredictions(AnsweredImages):
    """What a head of labels or of numbers says about images.

    Attributes:
        answers: float64 (n, k): probabilities of labels, or numbers.
    """

    MEANINGLESS: ClassVar[str] = "the answers"
    PICTURE: ClassVar[str] = "{number:04}-{stem}-{place:02}-{name}.png"

    answers: np.ndarray

    @staticmethod
    def ask(head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns the answers to new features (n, ...), float64 (n, k)."""
        return head.new_targets(features)

    @staticmethod
    def of_each(names: Sequence[str], things: Sequence[Any]) -> dict[str, Any]:
        """Returns what there is of each chosen label, or number, by its name."""
        return dict(zip(names, things, strict=True))

    def _values(self, image: int) -> dict[str, float]:
        return dict(zip(self.classes, self.answers[image].tolist(), strict=True))

    def _write(self, file: TextIO, columns: Sequence[Column]) -> None:
        """Writes columns, each with its name; text is what no spreadsheet takes for a formula."""
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(guarded(name) for name, _ in columns)
        for row in zip(*(values for _, values in columns), strict=True):
            writer.writerow([guarded(one) if isinstance(one, str) else one for one in row])

    def _named_columns(self, pattern: str) -> list[Column]:
        return [
            (pattern.format(name), column)
            for name, column in zip(self.classes, self.answers.T.tolist(), strict=True)
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelPredictions(TargetPredictions):
    """What a head of several labels says about images.

    Attributes:
        answers: float64 (n, k), the probability of each label.
        least: float64 (k,), the probability from which each label is answered.
    """

    least: np.ndarray

    @staticmethod
    def chosen(head: TrainedHead, values: np.ndarray) -> list[int]:
        """Returns the labels at or above their thresholds, by probabilities (k,), the most probable first."""
        return _reached(values, head.answered_from)

    @classmethod
    def of(cls, head: TrainedHead, values: np.ndarray, bounds: Any, **known: Any) -> LabelPredictions:
        """Puts answers of a head together, see :meth:`Predictions.of`; labels have no sets."""
        return cls(head=head.name, answers=values, least=head.answered_from, **known)

    @property
    def thresholds(self) -> dict[str, float]:
        """The probability from which each label is answered."""
        return dict(zip(self.classes, self.least.tolist(), strict=True))

    def labels_of(self, image: int) -> list[str]:
        """Returns the labels of an image, those at or above their thresholds, the most probable first."""
        return [self.classes[i] for i in _reached(self.answers[image], self.least)]

    @property
    def predicted(self) -> list[list[str]]:
        """The labels of each image."""
        return [self.labels_of(image) for image in range(len(self.ids))]

    def said(self, image: int, *, top: int = TOP) -> dict[str, Any]:
        """Returns the labels of an image and the probability of every label, as JSON."""
        return {"labels": self.labels_of(image), "probabilities": self._values(image)}

    def line(self, image: int, *, top: int = TOP) -> str:
        """Says in a line the labels of an image with their probabilities, and if it is strange."""
        values = self._values(image)
        said = ", ".join(f"{readable(one)} {values[one]:.2%}" for one in self.labels_of(image))
        return (said or "none of the labels") + ("  unlike anything seen" if self.is_strange(image) else "")

    def write_csv(self, file: TextIO, *, top: int = TOP) -> None:
        """Writes one CSV row an image: id, labels with bars between them, and a column ``p(<label>)`` each.

        Behind them stand ``familiar`` and ``familiarity``, empty where they are not known.

        Args:
            file: Where to.
            top: Not looked at: every label has its column.
        """
        joined = ["|".join(labels) for labels in self.predicted]
        first: list[Column] = [("id", self.ids), ("labels", joined)]
        self._write(file, [*first, *self._named_columns("p({})"), *self.familiar_columns.items()])

    def _about(self) -> dict[str, Any]:
        return {"target": LABELS, "thresholds": self.thresholds}


@dataclass(frozen=True, eq=False, kw_only=True)
class NumberPredictions(TargetPredictions):
    """What a head of numbers says about images.

    Attributes:
        answers: float64 (n, k), the value of each number.
        intervals_by: How far true values are off; None where nobody asked for it.
    """

    intervals_by: NumberIntervals | None = None

    @staticmethod
    def chosen(head: TrainedHead, values: np.ndarray) -> list[int]:
        """Returns all numbers, in the order of the head."""
        return [*range(len(values))]

    @classmethod
    def of(cls, head: TrainedHead, values: np.ndarray, bounds: Any, **known: Any) -> NumberPredictions:
        """Puts answers of a head together, see :meth:`Predictions.of`; bounds are intervals."""
        return cls(head=head.name, answers=values, intervals_by=bounds, **known)

    @property
    def predicted(self) -> list[dict[str, float]]:
        """The numbers of each image by their names."""
        return [self._values(image) for image in range(len(self.ids))]

    def intervals_of(self, image: int) -> dict[str, tuple[float, float] | None]:
        """Returns between which values each number is; None of those whose interval val does not tell."""
        widths = [None] * len(self.classes) if self.intervals_by is None else self.intervals_by.half_widths
        return {
            name: None if width is None else (value - width, value + width)
            for (name, value), width in zip(self._values(image).items(), widths, strict=True)
        }

    def said(self, image: int, *, top: int = TOP) -> dict[str, Any]:
        """Returns the numbers of an image, as JSON."""
        return {"numbers": self._values(image)}

    def bounded(self, image: int) -> dict[str, Any]:
        """Returns between which values each number is, as JSON; empty where nobody asked."""
        if self.intervals_by is None:
            return {}
        found = self.intervals_of(image)
        return {"interval": {name: None if ends is None else [*ends] for name, ends in found.items()}}

    def line(self, image: int, *, top: int = TOP) -> str:
        """Says in a line the numbers of an image, how far they may be off, and if it is strange."""
        widths = self.intervals_by.half_widths if self.intervals_by else [None] * len(self.classes)
        said = ", ".join(
            f"{readable(name)} {number_text(value)}" + ("" if width is None else f" ± {width:.4g}")
            for (name, value), width in zip(self._values(image).items(), widths, strict=True)
        )
        return said + ("  unlike anything seen" if self.is_strange(image) else "")

    def write_csv(self, file: TextIO, *, top: int = TOP) -> None:
        """Writes one CSV row an image: id, and a column a number.

        Behind them stand ``familiar`` and ``familiarity``, empty where they are not known, and where
        intervals were asked for ``low(<number>)`` and ``high(<number>)``, empty where val does not tell.

        Args:
            file: Where to.
            top: Not looked at: every number has its column.
        """
        columns: list[Column] = [("id", self.ids), *self._named_columns("{}"), *self.familiar_columns.items()]
        if self.intervals_by is not None:
            found = [self.intervals_of(image) for image in range(len(self.ids))]
            for name in self.classes:
                for place, end in enumerate(("low", "high")):
                    ends = [one[name] for one in found]
                    columns.append((f"{end}({name})", ["" if one is None else one[place] for one in ends]))
        self._write(file, columns)

    def _about(self) -> dict[str, Any]:
        return {"target": NUMBER}

    def _about_bounds(self) -> dict[str, Any]:
        return {} if self.intervals_by is None else {"intervals": self.intervals_by.to_json(self.classes)}

    def _on_bounds(self) -> list[str]:
        return [] if self.intervals_by is None else self.intervals_by.notes(self.classes)


def _reached(values: np.ndarray, least: np.ndarray) -> list[int]:
    return [int(i) for i in np.argsort(-values, kind="stable") if values[i] >= least[i]]
