"""Greedy ensembles of heads, and whether one is worth more than its best member.

Source: R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004: members are added one
by one, with replacement, whichever helps the validation rows most. What is selected on some rows looks too
good on them, so the gain is measured on rows that took no part in the selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.choosing.quick_score import clearly_larger
from pipeline.evaluation.comparison import mcnemar
from pipeline.evaluation.metrics import CONFIDENCE
from pipeline.heads._core.row_losses import row_losses
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS, score
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.wording import counted

ROUNDS = 20
LIBRARY = 24
"""Most heads to select from, the best of all."""
ASKED = {CLASS: LIBRARY, LABELS: 6, NUMBER: LIBRARY}
"""Heads whose figure is computed in each round, those with the least loss: that of labels sorts the rows for
each of them."""
FOLDS = 5
MOST_ROWS = 5_000
"""Rows that the selection looks at; more would tell the same at a higher price."""
MOST_TARGETS = 50_000
"""Labels, or numbers, of all rows that it looks at: each costs what a row with a class does."""
FEWEST_ROWS = 200
"""Rows that it looks at however many labels they have."""


@dataclass(frozen=True)
class Gain:
    """What an ensemble gains over the best single head, both chosen without the rows they are compared on.

    Attributes:
        won: Rows that only the ensemble has right.
        lost: Rows that only the single head has right.
        rows: All rows.
    """

    won: int
    lost: int
    rows: int

    @property
    def accuracy(self) -> float:
        """Difference of the accuracies."""
        return (self.won - self.lost) / self.rows

    @property
    def is_more_than_noise(self) -> bool:
        """Whether chance alone would rarely bring it about."""
        return self.won > self.lost and mcnemar(self.won, self.lost) < 1 - CONFIDENCE

    @property
    def told(self) -> str:
        """The gain in words."""
        return f"{self.won:,} more right and {self.lost:,} more wrong of {counted(self.rows, 'val row')}"


@dataclass(frozen=True, eq=False)
class TargetGain:
    """The same of several labels, or of numbers, where a row is not just right or wrong.

    Attributes:
        kind: What is answered.
        score: Difference of the figures of that kind, over all rows.
        losses: float (n,), by how much each row's loss is smaller.
    """

    kind: str
    score: float
    losses: np.ndarray

    @property
    def is_more_than_noise(self) -> bool:
        """Whether the figure is higher, and losses are smaller, row by row, by more than chance brings."""
        return self.score > 0 and clearly_larger(self.losses, np.zeros(len(self.losses)))

    @property
    def told(self) -> str:
        """The gain in words."""
        name = IN_WORDS[FIGURES[self.kind]]
        smaller = int(np.count_nonzero(self.losses > 0))
        rows = counted(len(self.losses), "val row")
        return f"{name} {self.score:+.4f}, and a smaller loss on {smaller:,} of {rows}"


def rows_to_look_at(truth: np.ndarray) -> np.ndarray:
    """Picks the rows that the selection looks at, from all over them.

    Args:
        truth: What is known of n rows, see ``target_figures.score``.

    Returns:
        int (m,), their positions, ascending.
    """
    targets = truth.shape[1] if truth.ndim > 1 else 1
    most = min(MOST_ROWS, max(MOST_TARGETS // targets, FEWEST_ROWS), len(truth))
    return np.unique(np.linspace(0, len(truth) - 1, most).astype(int))


def select_members(answers: np.ndarray, truth: np.ndarray, kind: str = CLASS) -> np.ndarray:
    """Selects members greedily.

    Args:
        answers: float (m, n, k), the answers of m heads: probabilities, or numbers.
        truth: What is known of the rows, see ``target_figures.score``.
        kind: What is answered.

    Returns:
        Votes of each head, int (m,).
    """
    votes, best = np.zeros(len(answers), int), (-np.inf, -np.inf)
    chosen, total = votes.copy(), np.zeros(answers.shape[1:], np.float32)
    for count in range(1, ROUNDS + 1):
        losses = np.array([_loss(kind, total + one, count, truth) for one in answers])
        asked = np.sort(np.argsort(losses, kind="stable")[: ASKED[kind]]).tolist()
        worth = {i: (_score(kind, total + answers[i], count, truth), -float(losses[i])) for i in asked}
        pick = max(asked, key=worth.__getitem__)
        votes[pick] += 1
        total = total + answers[pick]
        if worth[pick] > best:
            best, chosen = worth[pick], votes.copy()
    return chosen // np.gcd.reduce(chosen)


def _score(kind: str, total: np.ndarray, count: int, truth: np.ndarray) -> float:
    """Returns the figure of the sum of some answers; which class is first is told by the sum itself."""
    return score(kind, truth, total if kind == CLASS else total / count)


def _loss(kind: str, total: np.ndarray, count: int, truth: np.ndarray) -> float:
    """Returns the mean loss of the sum of some answers; probabilities of classes are shares of their sum."""
    mean = total / (total.sum(axis=1, keepdims=True) if kind == CLASS else count)
    return float(row_losses(kind, truth, mean).mean())


def measure_gain(
    answers: np.ndarray, truth: np.ndarray, groups: np.ndarray, *, seed: int, kind: str = CLASS
) -> Gain | TargetGain:
    """Compares ensemble and best single head on rows that neither was chosen on.

    Args:
        answers: float (m, n, k).
        truth: What is known of the rows.
        groups: int (n,), rows of one group are held out together.
        seed: Deals the groups to the folds.
        kind: What is answered.
    """
    names, group = np.unique(groups, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[group]
    together, alone = answers[0].astype(np.float64), answers[0].astype(np.float64)
    for number in range(FOLDS):
        held = fold == number
        if not held.any() or held.all():
            continue
        known, asked = answers[:, ~held], answers[:, held]
        worth = [(_score(kind, one, 1, truth[~held]), -_loss(kind, one, 1, truth[~held])) for one in known]
        single = max(range(len(worth)), key=worth.__getitem__)
        votes = select_members(known, truth[~held], kind)
        together[held] = np.tensordot(votes.astype(np.float32), asked, 1).astype(np.float64) / votes.sum()
        alone[held] = asked[single]
    return (_class_gain if kind == CLASS else partial(_target_gain, kind))(truth, together, alone)


def _class_gain(labels: np.ndarray, together: np.ndarray, alone: np.ndarray) -> Gain:
    ours, single = together.argmax(axis=1) == labels, alone.argmax(axis=1) == labels
    return Gain(int(np.sum(ours & ~single)), int(np.sum(single & ~ours)), len(labels))


def _target_gain(kind: str, truth: np.ndarray, together: np.ndarray, alone: np.ndarray) -> TargetGain:
    gained = score(kind, truth, together) - score(kind, truth, alone)
    return TargetGain(kind, gained, row_losses(kind, truth, alone) - row_losses(kind, truth, together))
