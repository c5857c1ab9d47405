"""What was tried and what was chosen, for people, for scripts and for later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.choosing.contender import Contender, Extracted
from pipeline.evaluation.metrics import wilson_interval
from pipeline.heads import TrainedHead
from pipeline.notebook import facts_html, table_html

QUICK = ""
"""In the place of a head: the quick score on a sample."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One thing that was tried, or left out.

    Attributes:
        backbone: Name of the base.
        image_size: Height and width in pixels.
        layer: The cut, or several with ``+`` between them; empty where the base was not run.
        head: Name of the head; ``QUICK`` for the quick score.
        options: Options of the head.
        rows: Images it was measured on.
        accuracy: On val; of the quick score on a sample of train and val. None where nothing was measured.
        log_loss: On the same rows.
        seconds: What it took: the fit of a head; for the quick score the pass over the sample, once a pass.
        image_s: Seconds an image that the base takes.
        note: Why it was left out, or went no further; mostly empty.
    """

    backbone: str
    image_size: int
    layer: str = ""
    head: str = QUICK
    options: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    accuracy: float | None = None
    log_loss: float | None = None
    seconds: float = 0.0
    image_s: float | None = None
    note: str = ""

    @classmethod
    def without(cls, contender: Contender, note: str) -> Tried:
        """Takes down why a contender went no further."""
        return cls(backbone=contender.base.backbone, image_size=contender.image_size, note=note)

    @property
    def label(self) -> str:
        """The head with its options, as a leaderboard names it."""
        return " ".join([self.head, *(f"{name}={value}" for name, value in self.options.items())])

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson_interval(round((self.accuracy or 0.0) * self.rows), self.rows)

    def to_json(self) -> dict[str, Any]:
        """Returns an object of ``"tried"``."""
        described = asdict(self)
        accuracy, image_s = described.pop("accuracy"), described.pop("image_s")
        return described | {
            "head": self.head or None,
            "sample_accuracy": None if self.head else accuracy,
            "val_accuracy": accuracy if self.head else None,
            "seconds": round(self.seconds, 3),
            "seconds_an_image": None if image_s is None else round(image_s, 6),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """The outcome.

    Attributes:
        found: Features of the base that was chosen.
        positions: The cuts that the head works on.
        trained: The head, saved.
        tried: All that was tried, in that order.
        seconds: Wall time.
        commands: What would have made the head, a line each.
        folder: Where choice.json, choice.png and recipe.toml stand.
    """

    found: Extracted
    positions: tuple[int, ...]
    trained: TrainedHead
    tried: Sequence[Tried]
    seconds: float
    commands: Sequence[str]
    folder: Path

    @property
    def layer(self) -> str:
        """The cut, or several with ``+`` between them."""
        return "+".join(self.found.cut(position) for position in self.positions)

    def _repr_html_(self) -> str:
        """Shows in a notebook what was chosen, and all that was tried."""
        chosen = self.found.contender
        facts = {
            "base": f"{chosen.base.backbone}, {chosen.image_size} pixels",
            "cut": self.layer,
            "head": self.trained.name,
            "took": f"{self.seconds:.0f} s",
            "folder": self.folder,
        }
        tried = [
            (
                f"{one.backbone} {one.image_size} {one.layer}",
                one.label if one.head else "quick score",
                "" if one.accuracy is None else f"{one.accuracy:.4f}",
                "" if one.accuracy is None else "{:.4f} to {:.4f}".format(*one.interval),
                one.note,
            )
            for one in self.tried
        ]
        names = ("features", "head", "accuracy", "95% interval", "note")
        return facts_html("chosen", facts) + table_html(names, tried)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline choose --json`` prints."""
        return {
            "chosen": {
                "backbone": self.found.contender.base.backbone,
                "image_size": self.found.contender.image_size,
                "layer": self.layer,
                "head": self.trained.name,
                "val_accuracy": self.trained.val_accuracy,
            },
            "tried": [one.to_json() for one in self.tried],
            "seconds": round(self.seconds, 3),
        }
