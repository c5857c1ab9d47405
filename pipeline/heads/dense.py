"""The classic head of the course material: one hidden layer on the flattened features."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import KerasHead
from pipeline.heads._keras.layers import Flatten, Layer, classifier, hidden_layers
from pipeline.options import Count, Share


@dataclass(frozen=True, kw_only=True)
class Dense(KerasHead):
    """One hidden layer with dropout on the flattened features, stopped early on validation rows.

    Attributes:
        units: Width of the hidden layer.
        dropout: Share of its outputs that is dropped while training.
    """

    units: Count = 256
    dropout: Share = 0.5

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling, flatten, dense, dropout, softmax."""
        return classifier(task, [Flatten(), *hidden_layers((self.units,), self.dropout)])


HEAD = Dense
