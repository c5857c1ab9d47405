"""What an export leaves behind, for people and for scripts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.heads import Temperature
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.serving.export._familiarity import FAMILIARITY
from pipeline.serving.export._kinds import KINDS
from pipeline.serving.export._network import INPUT

_ELSEWHERE = {
    CLASS: ("target", "thresholds"),
    LABELS: ("classes", "temperature"),
    NUMBER: ("classes", "temperature", "thresholds"),
}
"""What a model of each kind has not, or has under another name."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A model that was written.

    Attributes:
        head: Name of the head in it.
        dataset: Name of the data set that the head learnt from.
        format: Name of its format.
        path: The file or folder.
        card: The model card beside it.
        bytes: Size on disk.
        image_size: Height and width in pixels of the images it takes.
        target: What it answers with, see ``images/targets.py``.
        classes: Names of the classes, labels or numbers its answers are about, in their order.
        thresholds: The probability from which each label is answered; empty of other kinds.
        temperature: What its probabilities are calibrated with, as in the head; None where they are not.
        checked: Number of images it was checked on; 0 without a check.
        split: Where those were from; empty without a check.
        max_difference: Largest difference of a probability to those of the head, or of a number in its
            standard deviations over the split; None without a check.
        familiarity: ``Familiarity.rule`` of the second output; None where the model has none.
        without_familiarity: Why it has none; empty where it has one.
        familiarity_difference: As ``max_difference``; None, too, where the model has no such output.
        example: Lines of Python that let it answer for ``photo.jpg``.
    """

    head: str
    dataset: str
    format: str
    path: Path
    card: Path
    bytes: int
    image_size: int
    target: str
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    temperature: Temperature | None
    checked: int
    split: str
    max_difference: float | None
    familiarity: dict[str, Any] | None
    without_familiarity: str
    familiarity_difference: float | None
    example: str

    @property
    def output(self) -> str:
        """Name of the output with the answers."""
        return KINDS[self.target].output

    @property
    def difference(self) -> str:
        """How far its answers are from those of the head, in words; empty without a check."""
        return "" if self.max_difference is None else KINDS[self.target].difference(self.max_difference)

    @property
    def _temperature(self) -> dict[str, float | None]:
        return {"temperature": None if self.temperature is None else self.temperature.value}

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline export --json`` prints."""
        size, told = self.image_size, asdict(self)
        for name in _ELSEWHERE[self.target]:
            del told[name]
        if self.target != CLASS:
            told[KINDS[self.target].names] = self.classes
        return {
            **told,
            "path": str(self.path),
            "card": str(self.card),
            **({} if self.target != CLASS else self._temperature),
            "input": {"name": INPUT, "dtype": "uint8", "shape": [None, size, size, 3]},
            "output": {"name": self.output, "dtype": "float32", "shape": [None, len(self.classes)]},
            "familiarity": self.familiarity
            and {"name": FAMILIARITY, "dtype": "float32", "shape": [None], **self.familiarity},
        }
