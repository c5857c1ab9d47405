"""The smallest head: what each channel says on average, weighed for each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import MAPS, KerasHead
from pipeline.heads._keras.layers import Layer, classifier, pooled
from pipeline.options import Count, PositiveFloat


@dataclass(frozen=True, kw_only=True)
class GapSoftmax(KerasHead):
    """Global average pooling and a softmax, nothing hidden: few weights, hard to overfit."""

    takes: ClassVar[str] = MAPS

    epochs: Count = 200
    learning_rate: PositiveFloat = 1e-3
    patience: Count = 10

    def layers(self, task: Task) -> list[Layer]:
        """Lists scaling, global average, softmax."""
        return classifier(task, pooled(task))


HEAD = GapSoftmax
