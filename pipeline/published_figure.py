"""The figure that the source of an experiment reports, beside what was measured here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pipeline.options import between

UNKNOWN = "whether the two can be compared is not known, because the recipe does not say on which {}"


@dataclass(frozen=True, kw_only=True)
class Published:
    """What the source of an experiment reports.

    Attributes:
        accuracy: The figure as a share; None where the source gives none.
        data: Name of the data set it was measured on, as ``pipeline extract`` would name it.
        split: The split it was measured on.
        measured_on: What it was measured on, in words.
        took: How long it took there, in words.
        note: What was wrong there, or is different here.
    """

    accuracy: Annotated[float, between(0, 1)] | None = None
    data: str = ""
    split: str = ""
    measured_on: str = ""
    took: str = ""
    note: str = ""

    def beside(self, dataset: str, measured: Mapping[str, float]) -> str:
        """Says what was published, on what, and whether the figures of this run can be compared with it.

        Args:
            dataset: Name of the data set of this run.
            measured: Its accuracies by split.

        Returns:
            One or several sentences; empty where nothing was published.
        """
        note = _sentence(self.note)
        if self.accuracy is None:
            return f"published: no accuracy. {note}" if note else ""
        took = f"It took {self.took}" if self.took.strip() else ""
        parts = [
            _sentence(f"published: accuracy {self.accuracy:.4f}{self._where}"),
            _sentence(took),
            note,
        ]
        if measured:
            figures = ", ".join(f"{accuracy:.4f} on {split}" for split, accuracy in measured.items())
            verdict = self._verdict(dataset, measured)
            parts.append(_sentence(f"Measured here on {dataset}: {figures}; {verdict}"))
        return " ".join(filter(None, parts))

    @property
    def _where(self) -> str:
        split = f"{self.split} split" if self.split else ""
        place = f"{self.data}, {split}" if self.data and split else self.data or (split and f"a {split}")
        words = self.measured_on.strip().rstrip(".")
        if place and words:
            return f" on {place} ({words})"
        return f" on {place or words}" if place or words else ""

    def _verdict(self, dataset: str, measured: Mapping[str, float]) -> str:
        if not self.data:
            return UNKNOWN.format("data set it was published")
        if self.data.casefold() != dataset.casefold():
            return "that is another data set: not comparable"
        if not self.split:
            return UNKNOWN.format("split it was published")
        if self.split not in measured:
            return "that is another split: not comparable"
        return f"the data set has the same name, so compare the figure on {self.split}"


def _sentence(text: str) -> str:
    """Ends a text that is not empty with one full stop."""
    plain = " ".join(text.split())
    return plain if not plain or plain.endswith((".", "!", "?")) else f"{plain}."
