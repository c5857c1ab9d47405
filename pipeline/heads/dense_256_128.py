"""Two hidden layers on the flattened features."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import KerasHead
from pipeline.heads._keras.layers import Flatten, Layer, classifier, hidden_layers
from pipeline.options import Share


@dataclass(frozen=True, kw_only=True)
class Dense256128(KerasHead):
    """Hidden layers of 256 and 128 units with dropout on the flattened features.

    Attributes:
        dropout: Share of the outputs of each hidden layer that is dropped while training.
    """

    dropout: Share = 0.5

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling, flatten, twice dense and dropout, softmax."""
        return classifier(task, [Flatten(), *hidden_layers((256, 128), self.dropout)])


HEAD = Dense256128
