"""The classic head of the course material: one hidden layer on the flattened features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.heads._core.head import Task
from pipeline.heads._keras.keras_head import KerasHead
from pipeline.heads._keras.network import classifier, hidden_layers
from pipeline.options import Count, Share
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Dense(KerasHead):
    """One hidden layer with dropout on the flattened features, stopped early on validation rows.

    Attributes:
        units: Width of the hidden layer.
        dropout: Share of its outputs that is dropped while training.
    """

    units: Count = 256
    dropout: Share = 0.5

    def build(self, task: Task) -> keras.Model:
        """Builds scaling, flatten, dense, dropout, softmax."""
        return classifier(
            task, [import_keras().layers.Flatten(), *hidden_layers((self.units,), self.dropout)]
        )


HEAD = Dense
