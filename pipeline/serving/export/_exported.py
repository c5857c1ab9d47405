"""What an export leaves behind, for people and for scripts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.heads import Temperature
from pipeline.serving.export._familiarity import FAMILIARITY
from pipeline.serving.export._network import INPUT, OUTPUT


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
        classes: Names of the classes its probabilities are about, in their order.
        temperature: What its probabilities are calibrated with, as in the head; None where they are not.
        checked: Number of images it was checked on; 0 without a check.
        split: Where those were from; empty without a check.
        max_difference: Largest difference of a probability to those of the head; None without a check.
        familiarity: ``Familiarity.rule`` of the second output; None where the model has none.
        without_familiarity: Why it has none; empty where it has one.
        familiarity_difference: As ``max_difference``; None, too, where the model has no such output.
        example: Three lines of Python that let it answer for ``photo.jpg``.
    """

    head: str
    dataset: str
    format: str
    path: Path
    card: Path
    bytes: int
    image_size: int
    classes: tuple[str, ...]
    temperature: Temperature | None
    checked: int
    split: str
    max_difference: float | None
    familiarity: dict[str, Any] | None
    without_familiarity: str
    familiarity_difference: float | None
    example: str

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline export --json`` prints."""
        size = self.image_size
        return {
            **asdict(self),
            "path": str(self.path),
            "card": str(self.card),
            "temperature": None if self.temperature is None else self.temperature.value,
            "input": {"name": INPUT, "dtype": "uint8", "shape": [None, size, size, 3]},
            "output": {"name": OUTPUT, "dtype": "float32", "shape": [None, len(self.classes)]},
            "familiarity": self.familiarity
            and {"name": FAMILIARITY, "dtype": "float32", "shape": [None], **self.familiarity},
        }
