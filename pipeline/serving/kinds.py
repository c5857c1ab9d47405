"""Which answers belong to which kind of head: the one place that tells."""

from __future__ import annotations

from pipeline.heads import TrainedHead
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.serving.predictions import Predictions
from pipeline.serving.target_predictions import LabelPredictions, NumberPredictions

Kind = type[Predictions] | type[LabelPredictions] | type[NumberPredictions]
KINDS: dict[str, Kind] = {CLASS: Predictions, LABELS: LabelPredictions, NUMBER: NumberPredictions}


def kind_of(head: TrainedHead) -> Kind:
    """Returns what the answers of a head are, and what they look like."""
    return KINDS[head.task.target]
