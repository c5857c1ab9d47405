"""Model cards, written for heads that nobody exports."""

from __future__ import annotations

from typing import Any

import yaml

from pipeline.heads import TrainedHead
from pipeline.serving.export._card import write_card


def card_of(trained: TrainedHead, **changes: Any) -> tuple[dict[str, Any], str]:
    """Returns the head of a card, and its text."""
    given: dict[str, Any] = {
        "format": "onnx",
        "name": "a.onnx",
        "example": "run()",
        "checked": 3,
        "difference": 1e-5,
        "without_familiarity": "not known",
    } | changes
    _, front, body = write_card(trained, **given).split("---\n", 2)
    return yaml.safe_load(front), body
