"""Nearest class mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn.sklearn_head import LINEAR_TYPES, LayeredHead, Steps
from pipeline.heads._sklearn.table import standardised


@dataclass(frozen=True, kw_only=True)
class Prototype(LayeredHead):
    """Nearest class mean on standardised features: nothing to tune, and of use with five rows a class.

    The answers are those of scikit-learn's ``NearestCentroid``; half the squared distance is linear in a row
    up to what all classes share. Probabilities are the softmax of these scores, divided by one temperature
    that is fitted on each row's distances to the means without it.
    """

    types: ClassVar = LINEAR_TYPES

    def learn(self, train: Examples, seed: int) -> Steps:
        """Takes the means; nothing is random."""
        from pipeline.heads._sklearn.scores import SoftmaxLinear

        values, labels = train.once(standardised).values, train.labels
        counts = np.bincount(labels)
        share = (labels == np.arange(len(counts))[:, None]) / counts[:, None]
        means = share.astype(np.float32) @ values
        model = SoftmaxLinear.of(means, -np.square(means, dtype=np.float64).sum(axis=1) / 2)

        scores = model.decision_function(values).astype(np.float64)
        squares = np.einsum("nd,nd->n", values, values, dtype=np.float64) / 2
        own, count = (np.arange(len(labels)), labels), counts[labels]
        # Without a row, the mean of its class lies farther away from it by n / (n - 1).
        distance = (squares - scores[own]) * (count / np.maximum(count - 1, 1)) ** 2
        scores[own] = squares - distance
        model.sharpness_ = fit_inverse_temperature(scores[count > 1], labels[count > 1])
        return (model,)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """A mean a class, of which there are few."""
        return 400 * columns


HEAD = Prototype
