"""What differs on the page and in the HTTP API between heads of classes, labels and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.heads import TrainedHead
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.serving.web.schema_words import (
    COUNT,
    NUMBER_VALUE,
    SHARE,
    TEXT,
    Schema,
    but,
    by_name,
    closed,
    many,
    named,
    or_null,
)

_MAP = many(many(NUMBER_VALUE))


@dataclass(frozen=True, kw_only=True)
class WebKind:
    """One kind of head; each group of members is described as it is made.

    Attributes:
        says: What comes back for an image, in words.
        counts: Members that say how many classes, labels or numbers there are.
        worth: The member with the figure on val.
        known: The member that says what is known of a training image.
        said: Members that say what the head says of an image.
        bounded: The member that is there with ``--coverage`` alone.
        evidence: What spoke for the answer.
        strange: What it means that an image is not familiar.
        objects: Objects of their own that these refer to.
        count: Makes ``counts``.
        value: Makes ``worth``.
        rules: Makes those of ``said`` that are the same for every image.
        tallied: Which names ``/metrics`` counts images by.
    """

    says: str
    counts: dict[str, Schema]
    worth: dict[str, Schema]
    known: dict[str, Schema]
    said: dict[str, Schema]
    bounded: dict[str, Schema]
    evidence: Schema
    strange: str
    objects: dict[str, Schema] = field(default_factory=dict)
    count: Callable[[TrainedHead], dict[str, Any]]
    value: Callable[[TrainedHead], dict[str, Any]]
    rules: Callable[[TrainedHead], dict[str, Any]] = lambda head: {}
    tallied: Callable[[TrainedHead], Sequence[str]] = lambda head: ()


def _figure(head: TrainedHead) -> float | None:
    return None if head.val_score is None else head.val_score[1]


WEB_KINDS: dict[str, WebKind] = {
    CLASS: WebKind(
        says="Its classes and the training images most like it.",
        counts={"classes": but(COUNT, "How many there are.")},
        worth={"val_accuracy": or_null(SHARE)},
        known={"class": or_null(TEXT)},
        said={
            "top": but(
                many(named("Class")), "The most probable classes, five at most, the most probable first."
            )
        },
        bounded={
            "set": but(
                many(TEXT),
                "The classes that hold the true one so often as --coverage says; missing without it.",
            )
        },
        evidence=but(
            or_null(_MAP),
            "What each place adds to the first class, -1 to 1; null where features have no places.",
        ),
        strange="its classes mean nothing.",
        objects={"Class": closed({"class": TEXT, "probability": SHARE})},
        count=lambda head: {"classes": len(head.classes)},
        value=lambda head: {"val_accuracy": head.val_accuracy},
    ),
    LABELS: WebKind(
        says="Its labels and the training images most like it.",
        counts={"target": {"const": LABELS}, "labels": but(COUNT, "How many there are.")},
        worth={"val_map": but(or_null(SHARE), "Mean average precision on val.")},
        known={
            "labels": but(or_null(many(TEXT)), "Those that it is known to have; null where none is known.")
        },
        said={
            "labels": but(many(TEXT), "Those at or above their thresholds, the most probable first."),
            "probabilities": but(by_name(SHARE), "Of every label."),
            "thresholds": but(by_name(NUMBER_VALUE), "From which probability on each label is answered."),
        },
        bounded={},
        evidence=but(
            or_null(by_name(_MAP)),
            "What each place adds to each answered label, -1 to 1; null where features have no places.",
        ),
        strange="its labels mean nothing.",
        count=lambda head: {"target": LABELS, "labels": len(head.classes)},
        value=lambda head: {"val_map": _figure(head)},
        rules=lambda head: {"thresholds": dict(zip(head.classes, head.answered_from.tolist(), strict=True))},
        tallied=lambda head: head.classes,
    ),
    NUMBER: WebKind(
        says="Its numbers and the training images most like it.",
        counts={"target": {"const": NUMBER}, "numbers": but(COUNT, "How many there are.")},
        worth={"val_r2": but(or_null(NUMBER_VALUE), "R2 on val, the mean over the numbers.")},
        known={"numbers": but(or_null(by_name(NUMBER_VALUE)), "Those that are known; null where none is.")},
        said={"numbers": but(by_name(NUMBER_VALUE), "The value of each.")},
        bounded={
            "interval": but(
                by_name(or_null(many(NUMBER_VALUE))),
                "Low and high end that hold the true value so often as --coverage says; null where val does "
                "not tell, missing without it.",
            )
        },
        evidence=but(
            or_null(by_name(_MAP)),
            "What each place adds to each number, -1 to 1; null where features have no places.",
        ),
        strange="its numbers mean nothing.",
        count=lambda head: {"target": NUMBER, "numbers": len(head.classes)},
        value=lambda head: {"val_r2": _figure(head)},
    ),
}
