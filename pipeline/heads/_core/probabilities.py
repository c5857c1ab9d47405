"""Scores turned into probabilities, in the precision that the scores have."""

from __future__ import annotations

import numpy as np


def softmax(scores: np.ndarray) -> np.ndarray:
    """Returns the softmax of each row of scores, a new float (n, m) of the same dtype."""
    proba = np.exp(scores - scores.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    return proba


def logistic(scores: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x)) of each score, a new float array of the same shape and dtype."""
    with np.errstate(over="ignore"):  # infinite is right there: the share is 0
        return 1 / (1 + np.exp(-scores))


def column_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns the product of each column of (n, k) with the same one of another, (k,)."""
    return np.einsum("nk,nk->k", left, right)
