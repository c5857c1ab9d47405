"""The head of a model card, which the Hugging Face hub and other registries read.

Its keys are those of huggingface.co/docs/hub/model-cards; results are a ``model-index``.
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.heads import TrainedHead
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.run_files import CARD_MARK
from pipeline.serving.export._card_figures import CardFigures

CLASSIFICATION, MULTI_LABEL, REGRESSION = (
    "image-classification",
    "multi-label-image-classification",
    "image-regression",
)
_TAGS: dict[str, list[str]] = {
    CLASS: [CLASSIFICATION],
    LABELS: [CLASSIFICATION, MULTI_LABEL],
    NUMBER: [REGRESSION],
}
_TASKS: dict[str, dict[str, str]] = {
    CLASS: {"type": CLASSIFICATION},
    LABELS: {"type": CLASSIFICATION, "name": "Multi-Label Image Classification"},
    NUMBER: {"type": REGRESSION, "name": "Image Regression"},
}


def front_matter(trained: TrainedHead, *, format: str, split: str, figures: CardFigures | None) -> str:
    """Writes the head of the page; JSON is YAML, too, so names cannot leave their place.

    Args:
        trained: The head.
        format: Of the exported model.
        split: The split that the figures are about.
        figures: What was measured on it; None where nothing is on record.
    """
    target = trained.task.target
    front: dict[str, Any] = {"library_name": format}
    # The hub has no pipeline for numbers: a tag that it does not know is refused, one of classes would lie.
    if target != NUMBER:
        front["pipeline_tag"] = CLASSIFICATION
    front["tags"] = [*_TAGS[target], "transfer-learning", trained.spec.backbone]
    if figures is not None:
        result = {
            "task": _TASKS[target],
            "dataset": {"name": trained.dataset, "type": trained.dataset, "split": split},
            "metrics": figures.metrics,
        }
        front["model-index"] = [{"name": f"{trained.dataset}-{trained.name}", "results": [result]}]
    lines = [f"{key}: {json.dumps(value)}" for key, value in front.items()]
    return "\n".join(["---", f"# {CARD_MARK}", *lines, "---"])
