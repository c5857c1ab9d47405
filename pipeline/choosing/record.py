"""What was tried and what was chosen, for people, for scripts and for later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.choosing.contender import Contender, Extracted
from pipeline.evaluation.metrics import wilson_interval
from pipeline.heads import TrainedHead
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS, LOSSES
from pipeline.images.targets import CLASS, NUMBER
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
        target: What is answered of an image, see ``images/targets.py``.
        rows: Images it was measured on.
        score: The figure of the target, see ``FIGURES``, on val; of the quick score on a sample of train and
            val. None where nothing was measured.
        loss: What decides between equal scores, see ``LOSSES``, on the same rows.
        seconds: What it took: the fit of a head; for the quick score the pass over the sample, once a pass.
        image_s: Seconds an image that the base takes.
        note: Why it was left out, or went no further; mostly empty.
    """

    backbone: str
    image_size: int
    layer: str = ""
    head: str = QUICK
    options: dict[str, str] = field(default_factory=dict)
    target: str = CLASS
    rows: int = 0
    score: float | None = None
    loss: float | None = None
    seconds: float = 0.0
    image_s: float | None = None
    note: str = ""

    @classmethod
    def without(cls, contender: Contender, note: str, target: str = CLASS) -> Tried:
        """Takes down why a contender went no further."""
        backbone, image_size = contender.base.backbone, contender.image_size
        return cls(backbone=backbone, image_size=image_size, target=target, note=note)

    @property
    def label(self) -> str:
        """The head with its options, as a leaderboard names it."""
        return " ".join([self.head, *(f"{name}={value}" for name, value in self.options.items())])

    @property
    def figure(self) -> str:
        """Name of the figure that the score is."""
        return FIGURES[self.target]

    @property
    def accuracy(self) -> float | None:
        """The score of classes; None of other targets, or where nothing was measured."""
        return self.score if self.target == CLASS else None

    @property
    def log_loss(self) -> float | None:
        """The loss of classes or labels; None of numbers, or where nothing was measured."""
        return None if self.target == NUMBER else self.loss

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of an accuracy; None of other figures, whose bootstrap would cost more than a fit."""
        return None if self.accuracy is None else wilson_interval(round(self.accuracy * self.rows), self.rows)

    def to_json(self) -> dict[str, Any]:
        """Returns an object of ``"tried"``."""
        return {
            "backbone": self.backbone,
            "image_size": self.image_size,
            "layer": self.layer,
            "head": self.head or None,
            "options": self.options,
            "rows": self.rows,
            LOSSES[self.target]: self.loss,
            "seconds": round(self.seconds, 3),
            "note": self.note,
            f"sample_{self.figure}": None if self.head else self.score,
            f"val_{self.figure}": self.score if self.head else None,
            "seconds_an_image": None if self.image_s is None else round(self.image_s, 6),
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

    @property
    def figure(self) -> str:
        """Name of the figure that was chosen by, see ``FIGURES``."""
        return FIGURES[self.trained.task.target]

    @property
    def score(self) -> float | None:
        """What the head that was chosen reaches on val, in that figure."""
        return None if self.trained.val_score is None else self.trained.val_score[1]

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
                "" if one.score is None else f"{one.score:.4f}",
                "" if one.interval is None else "{:.4f} to {:.4f}".format(*one.interval),
                one.note,
            )
            for one in self.tried
        ]
        names = ("features", "head", IN_WORDS[self.figure], "95% interval", "note")
        return facts_html("chosen", facts) + table_html(names, tried)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline choose --json`` prints."""
        return {
            "chosen": {
                "backbone": self.found.contender.base.backbone,
                "image_size": self.found.contender.image_size,
                "layer": self.layer,
                "head": self.trained.name,
                f"val_{self.figure}": self.score,
            },
            "tried": [one.to_json() for one in self.tried],
            "seconds": round(self.seconds, 3),
        }
