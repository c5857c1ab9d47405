"""The small convnet of the course material, trained from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.errors import UsageError
from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import PIXELS, KerasHead
from pipeline.heads._keras.layers import (
    Convolution,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling,
    Widths,
    pixel_classifier,
)
from pipeline.options import Count, Share
from pipeline.wording import counted, verb


@dataclass(frozen=True, kw_only=True)
class Cnn(KerasHead):
    """Four convolutions with max pooling and one dense layer on pixels, from scratch.

    The convnet for cats and dogs of F. Chollet, Deep Learning with Python (2018), section 5.2: 3,453,121
    weights at 150x150 pixels with its single sigmoid unit, 513 more with a softmax of two.

    Attributes:
        filters: Number of filters of each 3x3 convolution; each is followed by 2x2 max pooling.
        units: Width of the dense layer.
        dropout: Share of the inputs of the dense layer that is dropped while training; 0.5 in the book where
            images are augmented.
    """

    takes: ClassVar[str] = PIXELS
    convolves: ClassVar[bool] = True

    epochs: Count = 30

    filters: Widths = (32, 64, 128, 128)
    units: Count = 512
    dropout: Share = 0.0

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling to 0..1, convolution and pooling for each width, flatten, dense, softmax.

        Raises:
            UsageError: The images are too small for as many convolutions.
        """
        _refuse_small_images(min(task.feature_shape[:2]), len(self.filters))
        blocks = [layer for filters in self.filters for layer in (Convolution(filters), MaxPooling())]
        hidden = [Flatten(), Dropout(self.dropout), Dense(self.units)]
        return pixel_classifier(task, [*blocks, *hidden])


def _refuse_small_images(size: int, depth: int) -> None:
    smallest = 3 * 2**depth - 2  # each block takes off 2 pixels and halves what is left
    if size < smallest:
        fits = max(n for n in range(size.bit_length()) if 3 * 2**n - 2 <= size)
        raise UsageError(
            f"images of {counted(size, 'pixel')} are too small for {counted(depth, 'convolution')} with "
            f"pooling, which {verb(depth, 'needs', 'need')} {smallest}: give fewer, for example "
            f"`--set filters={','.join(['32'] * max(fits, 1))}`, or run "
            f"`pipeline extract --backbone pixels --image-size {smallest}`"
        )


HEAD = Cnn
