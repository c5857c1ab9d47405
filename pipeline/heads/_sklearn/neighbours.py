"""Nearest neighbours: a block of questions against all rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

PRODUCTS_BYTES = 64 << 20
"""Size of the inner products of a block of questions with all rows."""


@dataclass(eq=False)
class Neighbours:
    """Votes of the nearest rows, all of which have length 1, like the questions.

    Products in single precision find who is near. How near is taken anew from the differences, so that a row
    is at no distance from itself.

    Attributes:
        rows_: float32 (n, d), each of length 1 or 0.
        labels_: int64 (n,).
        k_: Number of neighbours, at most n.
        weights_: What a vote counts: ``uniform``, or by the inverse of its ``distance``.
        classes_: int (m,), 0..m-1.
    """

    rows_: np.ndarray
    labels_: np.ndarray
    k_: int
    weights_: str
    classes_: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, labels: np.ndarray, k: int, weights: str) -> Neighbours:
        """Makes one of rows whose labels are 0..m-1."""
        return cls(rows, labels, min(k, len(rows)), weights, np.arange(int(labels.max()) + 1))

    def without_rows(self) -> Neighbours:
        """Returns all but the rows, which are too large to be copied for a file."""
        return replace(self, rows_=self.rows_[:0])

    def predict_proba(self, table: np.ndarray) -> np.ndarray:
        """Returns the share that each class has of the votes, float64 (n, m), of questions (n, d)."""
        size = max(PRODUCTS_BYTES // (4 * len(self.rows_)), 1)
        shares = np.empty((len(table), len(self.classes_)))
        for start in range(0, len(table), size):
            part = slice(start, start + size)
            shares[part] = self._votes(with_length_1(np.array(table[part], np.float32)))
        return shares

    def _votes(self, asked: np.ndarray) -> np.ndarray:
        products = asked @ self.rows_.T
        # Of rows of length 1, the nearest have the largest product.
        near = np.argpartition(products, -self.k_, axis=1)[:, -self.k_ :]
        votes = np.ones(near.shape)
        if self.weights_ == "distance":
            for i, (one, rows) in enumerate(zip(asked, near, strict=True)):
                votes[i] = _inverse(np.square(self.rows_[rows] - one).sum(axis=1, dtype=np.float64))
        shares = np.zeros((len(asked), len(self.classes_)))
        np.add.at(shares, (np.arange(len(asked))[:, None], self.labels_[near]), votes)
        return shares / shares.sum(axis=1, keepdims=True)


def with_length_1(rows: np.ndarray) -> np.ndarray:
    """Divides rows, float32 (n, d), by their lengths in place; those of length 0 stay."""
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    rows /= np.where(lengths > 0, lengths, 1)[:, None]
    return rows


def _inverse(distances: np.ndarray) -> np.ndarray:
    """Returns 1 / distance, (k,); where one is 0, such rows have all votes."""
    same = distances == 0
    return same.astype(np.float64) if same.any() else 1 / distances
