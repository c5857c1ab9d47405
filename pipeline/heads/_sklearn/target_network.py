"""Several labels, or numbers, as the layers of one network: the answers of heads of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.heads._core.head import Task
from pipeline.heads._sklearn.dense_layers import DenseLayer, flat_input, folded, through
from pipeline.heads._sklearn.per_label import PerLabelModel
from pipeline.heads._sklearn.target_answers import LinearTargets
from pipeline.runtimes.keras import import_keras

if TYPE_CHECKING:
    import keras

CERTAIN = 88.0
"""Log-odds of a label that is certain: their logistic function is 1, in float32, and of the opposite 0."""


def target_network(task: Task, model: Any, layers_of: Callable[[Any], Sequence[DenseLayer]]) -> keras.Model:
    """Builds a network from features, (n, *feature shape), to targets, (n, k).

    Args:
        task: With k labels or numbers.
        model: A model for each label; or steps, the last of which answers linearly for all of them.
        layers_of: Writes the model of a label, a classifier of two, as layers that take rows as they are, to
            the input of a softmax.

    Raises:
        UsageError: What answers is no layers.
    """
    given, rows = flat_input(task)
    if isinstance(model, PerLabelModel):
        scores, function = _log_odds(model, layers_of, rows), "sigmoid"
    else:
        scaler, *between, answering = model.steps
        if between or not isinstance(answering, LinearTargets):
            raise UsageError("what answers for its labels or numbers is no layers, so it cannot be exported")
        linear = DenseLayer(answering.coef_.T, answering.intercept_)
        scores = through(folded(scaler, [linear]), rows)
        function = "sigmoid" if answering.logistic_ else "linear"
    keras = import_keras()
    return keras.Model(given, keras.layers.Activation(function)(scores))


def _log_odds(
    model: PerLabelModel, layers_of: Callable[[Any], Sequence[DenseLayer]], rows: keras.KerasTensor
) -> keras.KerasTensor:
    """Returns the log-odds of each label, (n, k): its score as one of two classes less that of the other."""
    width = int(np.prod(model.shape))
    stacks = [
        [_constant(one, width)] if isinstance(one, float) else _difference(layers_of(one))
        for one in model.models
    ]
    if all(len(stack) == 1 for stack in stacks):
        # One product for all labels, however many there are.
        kernel = np.concatenate([stack[0].kernel for stack in stacks], axis=1)
        return through([DenseLayer(kernel, np.concatenate([stack[0].bias for stack in stacks]))], rows)
    parts = [through(stack, rows) for stack in stacks]
    return parts[0] if len(parts) == 1 else import_keras().layers.Concatenate()(parts)


def _difference(layers: Sequence[DenseLayer]) -> list[DenseLayer]:
    """Has two scores leave as one, the second less the first."""
    *before, last = layers
    if last.activation != "linear":
        before, last = [*layers], DenseLayer(np.eye(2), np.zeros(2))
    return [*before, DenseLayer(last.kernel[:, 1:] - last.kernel[:, :1], last.bias[1:] - last.bias[:1])]


def _constant(share: float, width: int) -> DenseLayer:
    """Answers for a label that all rows of the training have, or none: share 1 or 0."""
    return DenseLayer(np.zeros((width, 1)), np.array([CERTAIN if share else -CERTAIN]))
