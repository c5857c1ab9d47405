"""Three hidden layers behind batch norm on pooled features, as for an early cut of a base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import MAPS, KerasHead
from pipeline.heads._keras.layers import BatchNorm, Layer, classifier, hidden_layers, pooled
from pipeline.options import PositiveFloat, Share

MOMENTUM = 0.9
"""At Keras's 0.99 the moving averages are still half those of the start after 70 steps, which is the whole
training of a small set; the validation loss would then speak of another network than the one trained."""


@dataclass(frozen=True, kw_only=True)
class GapBnDense(KerasHead):
    """Global average pooling, batch norm, hidden layers of 400, 256 and 256 units with dropout.

    Attributes:
        dropout: Share of the outputs of each hidden layer that is dropped while training.
    """

    takes: ClassVar[str] = MAPS

    learning_rate: PositiveFloat = 1e-3

    dropout: Share = 0.2

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling, global average, batch norm, three times dense and dropout, softmax."""
        norm = BatchNorm(MOMENTUM)
        return classifier(task, [*pooled(task), norm, *hidden_layers((400, 256, 256), self.dropout)])


HEAD = GapBnDense
