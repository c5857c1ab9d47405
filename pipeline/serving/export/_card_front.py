"""The head of a model card, which the Hugging Face hub and other registries read.

Its keys are those of huggingface.co/docs/hub/model-cards; results are a ``model-index``.
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.heads import TrainedHead
from pipeline.run_files import CARD_MARK
from pipeline.stored_heads import StoredFigures


def front_matter(trained: TrainedHead, *, format: str, split: str, figures: StoredFigures | None) -> str:
    """Writes the head of the page; JSON is YAML, too, so names cannot leave their place.

    Args:
        trained: The head.
        format: Of the exported model.
        split: The split that the figures are about.
        figures: What was measured on it; None where nothing is on record.
    """
    front: dict[str, Any] = {
        "library_name": format,
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "transfer-learning", trained.spec.backbone],
    }
    if figures is not None:
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"name": trained.dataset, "type": trained.dataset, "split": split},
            "metrics": _metrics(figures),
        }
        front["model-index"] = [{"name": f"{trained.dataset}-{trained.name}", "results": [result]}]
    lines = [f"{key}: {json.dumps(value)}" for key, value in front.items()]
    return "\n".join(["---", f"# {CARD_MARK}", *lines, "---"])


def _metrics(figures: StoredFigures) -> list[dict[str, Any]]:
    # A metric of its own for each end would stand in rankings as one more accuracy.
    interval = {"confidence_level": 0.95, "confidence_interval": list(figures.interval)}
    metrics: list[dict[str, Any]] = [{"type": "accuracy", "value": figures.accuracy, "args": interval}]
    if figures.macro_f1 is not None:
        metrics.append({"type": "f1", "value": figures.macro_f1, "args": {"average": "macro"}})
    return metrics
