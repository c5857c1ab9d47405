"""Counterparts: what a trained head keeps of scikit-learn's estimators to answer, in plain NumPy.

Importing scikit-learn takes longer than anything else that a single answer needs. A counterpart has those
attributes of an estimator that its answers are made of, under the estimator's own names, and computes in the
same order and precision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.heads._core.probabilities import logistic, softmax
from pipeline.heads._sklearn.neighbours import Neighbours
from pipeline.heads._sklearn.scores import KernelMachine, SoftmaxLinear
from pipeline.heads._sklearn.target_answers import KernelTargets, LinearTargets, TargetNeighbours
from pipeline.heads._sklearn.trees import Trees


@dataclass(eq=False)
class Scaler:
    """``StandardScaler``: takes a mean from each column and divides by a scale.

    Attributes:
        mean_: float64 (d,).
        scale_: float64 (d,).
    """

    mean_: np.ndarray
    scale_: np.ndarray

    def transform(self, table: np.ndarray) -> np.ndarray:
        """Scales a table (n, d) in its own precision, in place."""
        table -= self.mean_.astype(table.dtype)
        table /= self.scale_.astype(table.dtype)
        return table


@dataclass(eq=False)
class Projection:
    """``TruncatedSVD``: maps rows to their components.

    Attributes:
        components_: float (k, d).
    """

    components_: np.ndarray

    def transform(self, table: np.ndarray) -> np.ndarray:
        """Returns the components of a table (n, d), float (n, k)."""
        return table @ self.components_.T


@dataclass(eq=False)
class LogisticScores:
    """``LogisticRegression``: the softmax of linear scores, or the logistic of the one of two classes.

    Attributes:
        coef_: float (m, d), or (1, d).
        intercept_: float (m,), or (1,).
        classes_: int (m,), 0..m-1.
    """

    coef_: np.ndarray
    intercept_: np.ndarray
    classes_: np.ndarray

    def decision_function(self, table: np.ndarray) -> np.ndarray:
        """Returns the scores of a table (n, d), float (n, m), or (n, 1)."""
        return table @ self.coef_.T + self.intercept_

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float (n, m)."""
        scores = self.decision_function(table)
        return softmax(scores) if len(self.classes_) > 2 else _both_shares(logistic(scores))


@dataclass(eq=False)
class OneAgainstRest(LogisticScores):
    """``SGDClassifier``: each class against all others, the shares scaled to sum to 1."""

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float (n, m)."""
        shares = logistic(self.decision_function(table))
        return shares / shares.sum(axis=1, keepdims=True) if len(self.classes_) > 2 else _both_shares(shares)


@dataclass(eq=False)
class Perceptron:
    """``MLPClassifier``: dense layers with ReLU, and a last one whose scores are as those of a regression.

    Attributes:
        coefs_: float (d, k) of each layer.
        intercepts_: float (k,) of each layer.
        activation: Always ``relu``.
        classes_: int (m,), 0..m-1.
    """

    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    activation: str
    classes_: np.ndarray

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float (n, m).

        Raises:
            ValueError: Its activation is another.
        """
        if self.activation != "relu":
            raise ValueError("its activation is not relu")
        *hidden, last = zip(self.coefs_, self.intercepts_, strict=True)
        for kernel, bias in hidden:
            table = table @ kernel + bias
            np.maximum(table, 0, out=table)
        scores = table @ last[0] + last[1]
        return softmax(scores) if len(self.classes_) > 2 else _both_shares(logistic(scores))


@dataclass(eq=False)
class Gaussians:
    """``GaussianNB``: a Gaussian for each column and class.

    Attributes:
        theta_: float64 (m, d), means.
        var_: float64 (m, d), variances.
        class_prior_: float64 (m,), shares of the classes.
    """

    theta_: np.ndarray
    var_: np.ndarray
    class_prior_: np.ndarray

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities of a table (n, d), float64 (n, m)."""
        scores = [
            np.log(share)
            - 0.5 * np.log(2 * np.pi * variance).sum()
            - 0.5 * ((table - mean) ** 2 / variance).sum(axis=1)
            for share, mean, variance in zip(self.class_prior_, self.theta_, self.var_, strict=True)
        ]
        return softmax(np.stack(scores, axis=1))


def _both_shares(second: np.ndarray) -> np.ndarray:
    """Puts the share of the first of two classes beside that of the second: (n, 1) to (n, 2)."""
    return np.concatenate([1 - second, second], axis=1)


def full_name(kind: type) -> str:
    """Returns the name of a type with its module, as a saved head has it."""
    return f"{kind.__module__}.{kind.__name__}"


_OF_CLASSES = (SoftmaxLinear, KernelMachine, Trees, Neighbours)
COUNTERPARTS: Mapping[str, type] = {
    "sklearn.preprocessing._data.StandardScaler": Scaler,
    "sklearn.decomposition._truncated_svd.TruncatedSVD": Projection,
    "sklearn.linear_model._logistic.LogisticRegression": LogisticScores,
    "sklearn.linear_model._stochastic_gradient.SGDClassifier": OneAgainstRest,
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier": Perceptron,
    "sklearn.naive_bayes.GaussianNB": Gaussians,
    **{full_name(kind): kind for kind in (*_OF_CLASSES, KernelTargets, LinearTargets, TargetNeighbours)},
}
"""What answers for an estimator, by its full name; classifiers of this package answer for themselves."""


def counterpart(step: Any) -> Any:
    """Returns what answers for a fitted step: its counterpart, or itself where it has none."""
    kind = COUNTERPARTS.get(full_name(type(step)))
    if kind is None or isinstance(step, kind):
        return step
    return kind(**{name: getattr(step, name) for name in attributes_of(kind)})


def attributes_of(kind: type) -> list[str]:
    """Lists the attributes that a counterpart is made of."""
    return [field.name for field in dataclasses.fields(kind)]
