"""A convnet for images of 32x32 pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import PIXELS, KerasHead
from pipeline.heads._keras.layers import (
    Convolution,
    Flatten,
    Layer,
    MaxPooling,
    Widths,
    hidden_layers,
    pixel_classifier,
)
from pipeline.options import Count, PositiveFloat, Share


@dataclass(frozen=True, kw_only=True)
class CnnCifar(KerasHead):
    """Three padded convolutions with max pooling and one dense layer on small images, from scratch.

    Attributes:
        filters: Number of filters of each 3x3 convolution; each is followed by 2x2 max pooling.
        units: Width of the dense layer.
        dropout: Share of the outputs of the dense layer that is dropped while training.
    """

    takes: ClassVar[str] = PIXELS
    convolves: ClassVar[bool] = True

    learning_rate: PositiveFloat = 5e-4

    filters: Widths = (32, 64, 128)
    units: Count = 128
    dropout: Share = 0.5

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling to 0..1, convolution and pooling for each width, dense, dropout, softmax."""
        blocks = [
            layer for filters in self.filters for layer in (Convolution(filters, "same"), MaxPooling("same"))
        ]
        hidden = hidden_layers((self.units,), self.dropout)
        return pixel_classifier(task, [*blocks, Flatten(), *hidden])


HEAD = CnnCifar
