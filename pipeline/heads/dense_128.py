"""One small hidden layer on pooled features."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import KerasHead
from pipeline.heads._keras.layers import Layer, classifier, hidden_layers, pooled
from pipeline.options import Count, PositiveFloat, Share


@dataclass(frozen=True, kw_only=True)
class Dense128(KerasHead):
    """One hidden layer of 128 units with dropout on features pooled over all positions.

    Features that are pooled already are taken as they are.

    Attributes:
        dropout: Share of the outputs of the hidden layer that is dropped while training.
    """

    learning_rate: PositiveFloat = 1e-3
    patience: Count = 10

    dropout: Share = 0.3

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling, global average, dense, dropout, softmax."""
        return classifier(task, [*pooled(task), *hidden_layers((128,), self.dropout)])


HEAD = Dense128
