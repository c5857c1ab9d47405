"""Average precision of labels for many resamples at once: each row counts as often as its weight says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class WeightedRanking:
    """The rows of which a label is known, from the highest score down.

    Precision counts where rows are gained: at the ends of ties that hold a row with the label.

    Attributes:
        rows: All of them, int (m,), as they stand among all n rows.
        seen: Where the rows up to each such end begin, and those behind the last one.
        having: Rows that have the label, in the same order.
        gained: Where those of each such tie begin among ``having``, int (t,).
    """

    rows: np.ndarray
    seen: np.ndarray
    having: np.ndarray
    gained: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, scores: np.ndarray, known: np.ndarray) -> WeightedRanking:
        """Ranks rows.

        Args:
            truth: float (m,), 1 or 0, of the rows of which the label is known.
            scores: float (m,), of the same rows.
            known: bool (n,), which rows these are.
        """
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
        hits = np.flatnonzero(truth[order] == 1)
        ties, gained = np.unique(np.searchsorted(ends, hits), return_index=True)
        rows = np.flatnonzero(known)[order]
        starts = np.append(0, ends[ties] + 1)
        return cls(rows, starts[starts < len(rows)], rows[hits], gained)

    def average_precision(self, columns: np.ndarray) -> np.ndarray:
        """Returns the average precision under weights, float (b,); NaN where all rows are alike.

        Args:
            columns: The weights of each resample stand in one, (n, b), so that those of a row lie together.
        """
        if not len(self.having):
            return np.full(columns.shape[1], np.nan)
        seen = np.add.reduceat(columns[self.rows], self.seen, axis=0).cumsum(axis=0)
        gained = np.add.reduceat(columns[self.having], self.gained, axis=0)
        hits = gained.cumsum(axis=0)
        reached = seen[: len(hits)]
        shares = np.divide(hits, reached, out=np.zeros_like(hits), where=reached != 0)
        alike = (hits[-1] == 0) | (hits[-1] == seen[-1])
        return np.where(alike, np.nan, (shares * gained).sum(axis=0) / np.maximum(hits[-1], 1e-300))


def precisions(ranked: Sequence[WeightedRanking], weights: np.ndarray) -> np.ndarray:
    """Returns the average precision of each label under weights (b, n), float (b, k); some may be NaN."""
    columns = np.ascontiguousarray(weights.T)
    return np.stack([one.average_precision(columns) for one in ranked], axis=1)
