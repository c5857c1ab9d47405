"""Who is taken for whom, counted without a table of all pairs: of ten thousand classes that has 800 MB."""

from __future__ import annotations

import numpy as np


def count_pairs(truth: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Counts rows by true and predicted class.

    Args:
        truth: int (n,), labels from 0 to k - 1.
        predicted: int (n,), likewise.
        k: Number of classes.

    Returns:
        int64 (m, 3): true class, predicted class and rows of each pair that occurs, in this order.
    """
    cells, rows = np.unique(truth.astype(np.int64) * k + predicted, return_counts=True)
    return np.column_stack([cells // k, cells % k, rows]).astype(np.int64)


def margins(pairs: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of each true class and of each predicted class, int64 (k,) both."""
    true, predicted = np.zeros(k, np.int64), np.zeros(k, np.int64)
    np.add.at(true, pairs[:, 0], pairs[:, 2])
    np.add.at(predicted, pairs[:, 1], pairs[:, 2])
    return true, predicted


def mistakes(pairs: np.ndarray) -> np.ndarray:
    """Returns the pairs of two different classes, the most frequent first, int64 (m, 3)."""
    wrong = pairs[pairs[:, 0] != pairs[:, 1]]
    return wrong[np.argsort(-wrong[:, 2], kind="stable")]


def most_confused(pairs: np.ndarray, k: int, most: int) -> np.ndarray:
    """Returns the classes of the worst mistakes, filled up with others, ascending int (at most ``most``,)."""
    involved = list(dict.fromkeys(mistakes(pairs)[:, :2].ravel().tolist()))[:most]
    taken = set(involved)
    others = (i for i in range(k) if i not in taken)
    return np.sort([*involved, *(i for i, _ in zip(others, range(most - len(involved)), strict=False))])


def table_of(pairs: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Returns the table of some classes, int64 (m, m), for ascending int (m,)."""
    inside = np.isin(pairs[:, 0], kept) & np.isin(pairs[:, 1], kept)
    true, predicted, rows = pairs[inside].T
    table = np.zeros((len(kept), len(kept)), np.int64)
    table[np.searchsorted(kept, true), np.searchsorted(kept, predicted)] = rows
    return table
