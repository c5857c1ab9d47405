"""Average precision of one label for many resamples at once: each row counts as often as its weight says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class WeightedRanking:
    """Rows of which a label is known, from the highest score down.

    Attributes:
        rows: int (m,), where they stand among all n rows.
        truth: float (m,), 1 where they have the label.
        last: int, the last place of each different score.
    """

    rows: np.ndarray
    truth: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, scores: np.ndarray, known: np.ndarray) -> WeightedRanking:
        """Ranks rows.

        Args:
            truth: float (m,), 1 or 0, of the rows of which the label is known.
            scores: float (m,), of the same rows.
            known: bool (n,), which rows these are.
        """
        order = np.argsort(-scores, kind="stable")
        last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
        return cls(np.flatnonzero(known)[order], truth[order], last)

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Returns the average precision under weights (b, n), float (b,); NaN where all rows are alike."""
        if not len(self.rows):
            return np.full(len(weights), np.nan)
        counted = weights[:, self.rows]
        hits = (counted * self.truth).cumsum(axis=1)
        seen = counted.cumsum(axis=1)
        all_hits, all_rows = hits[:, -1:], seen[:, -1:]
        hits, seen = hits[:, self.last], seen[:, self.last]
        gained = np.diff(hits, axis=1, prepend=0)
        shares = np.divide(hits, seen, out=np.zeros_like(hits), where=seen != 0)
        precision = (shares * gained).sum(axis=1)
        alike = ((all_hits == 0) | (all_hits == all_rows))[:, 0]
        return np.where(alike, np.nan, precision / np.maximum(all_hits[:, 0], 1e-300))
