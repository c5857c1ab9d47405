"""A network of dense layers on the pixels themselves: the baseline that convolutions have to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import PIXELS, KerasHead
from pipeline.heads._keras.layers import Flatten, Layer, Widths, hidden_layers, pixel_classifier
from pipeline.options import Share


@dataclass(frozen=True, kw_only=True)
class Ann(KerasHead):
    """Dense layers on flattened pixels, from scratch.

    The course material takes 3,000 and 1,000 units: 12 million weights for 32x32 pixels, against 4 million
    here.

    Attributes:
        units: Width of each hidden layer.
        dropout: Share of the outputs of each hidden layer that is dropped while training.
    """

    takes: ClassVar[str] = PIXELS

    units: Widths = (1024, 512)
    dropout: Share = 0.2

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling to 0..1, flatten, dense and dropout for each width, softmax."""
        return pixel_classifier(task, [Flatten(), *hidden_layers(self.units, self.dropout)])


HEAD = Ann
