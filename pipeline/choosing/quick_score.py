"""A cheap score of features: how well ridge regression answers for rows of a sample that it has not seen.

One solution in closed form gives the answers of all fits that leave a row out (D. M. Allen, "The relationship
between variable selection and data augmentation and a method for prediction", Technometrics 16, 1974), so
that nothing has to be held out of a small sample. How much cross-validated linear fits tell of a base is what
LogME, too, is after (K. You et al., "LogME: practical assessment of pre-trained models for transfer
learning", ICML 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.whole_set import whole_set
from pipeline.choosing.held_out import held_out_answers
from pipeline.heads import keep_labels, row_groups
from pipeline.heads._core.row_losses import row_losses
from pipeline.heads._core.target_figures import loss, score
from pipeline.images.targets import CLASS

PENALTIES = (0.1, 1.0, 10.0)
SAME = 1e-3
CLEARLY = 2.0
"""Standard errors by which one contender has to be worse than another to be clearly so."""


@dataclass(frozen=True, eq=False)
class QuickScore:
    """What features of a sample are worth.

    Attributes:
        score: What fits without each row come to, in the figure of the kind that is answered.
        error: What is told beside the score, see ``target_figures.LOSSES``.
        losses: float64 (n,), what each row's answer costs, see ``row_losses``.
    """

    score: float
    error: float
    losses: np.ndarray

    @property
    def loss(self) -> float:
        """Mean of the losses."""
        return float(self.losses.mean())

    def clearly_worse(self, best: QuickScore) -> bool:
        """Tells whether it is worse than another of the same rows by more than chance may bring about."""
        return clearly_larger(self.losses, best.losses)

    def equals(self, other: QuickScore) -> bool:
        """Tells whether it is of the same features, as of a map's average and of a vector that is that."""
        return bool(np.allclose(self.losses, other.losses, rtol=0, atol=SAME))


def clearly_larger(these: np.ndarray, those: np.ndarray) -> bool:
    """Tells whether the mean of n paired numbers is larger by more than ``CLEARLY`` standard errors."""
    difference = these - those
    error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else np.inf
    return bool(difference.mean() > CLEARLY * error)


def quick_score(parts: Sequence[FeatureSet]) -> QuickScore:
    """Scores the features of some rows.

    Of the rows of a group and of equal images one is taken: others would give it away.

    Args:
        parts: Splits of a sample, read into memory as a whole.

    Raises:
        UsageError: Too few rows tell classes, labels or numbers apart.
    """
    whole = whole_set(parts)
    rows = _alone(replace(whole, features=whole.to_memory()))
    found = [_of(rows.target, *held_out) for held_out in held_out_answers(rows, PENALTIES)]
    return min(found, key=lambda one: one.loss)


def _of(kind: str, truth: np.ndarray, answers: np.ndarray) -> QuickScore:
    losses = row_losses(kind, truth, answers)
    error = float(losses.mean()) if kind == CLASS else loss(kind, truth, answers)
    return QuickScore(score(kind, truth, answers), error, losses)


def _alone(features: FeatureSet) -> FeatureSet:
    """Takes what is known of all rows of a group but the first away."""
    _, first = np.unique(row_groups(features), return_index=True)
    return keep_labels(features, first)
