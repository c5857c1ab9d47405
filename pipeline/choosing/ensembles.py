"""Greedy ensembles of heads, and whether one is worth more than its best member.

Source: R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004: members are added one
by one, with replacement, whichever helps the validation rows most. What is selected on some rows looks too
good on them, so the gain is measured on rows that took no part in the selection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.comparison import mcnemar
from pipeline.evaluation.metrics import CONFIDENCE
from pipeline.heads._core.temperature import FLOOR

ROUNDS = 20
LIBRARY = 24
"""Most heads to select from, the best of all."""
FOLDS = 5
MOST_ROWS = 5_000
"""Rows that the selection looks at; more would tell the same at a higher price."""


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


def select_members(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Selects members greedily.

    Args:
        answers: float (m, n, k), the probabilities of m heads.
        labels: int (n,).

    Returns:
        Votes of each head, int (m,).
    """
    votes, best = np.zeros(len(answers), int), (-np.inf, -np.inf)
    chosen, total = votes.copy(), np.zeros(answers.shape[1:], np.float32)
    for _ in range(ROUNDS):
        worth = [_worth(total + one, labels) for one in answers]
        pick = max(range(len(worth)), key=worth.__getitem__)
        votes[pick] += 1
        total = total + answers[pick]
        if worth[pick] > best:
            best, chosen = worth[pick], votes.copy()
    return chosen // np.gcd.reduce(chosen)


def _worth(total: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Returns accuracy and negative log-loss of summed probabilities, float (n, k)."""
    of_truth = total[np.arange(len(labels)), labels] / total.sum(axis=1)
    return float(np.mean(total.argmax(axis=1) == labels)), float(np.log(np.maximum(of_truth, FLOOR)).mean())


def measure_gain(answers: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, seed: int) -> Gain:
    """Compares ensemble and best single head on rows that neither was chosen on.

    Args:
        answers: float (m, n, k).
        labels: int (n,).
        groups: int (n,), rows of one group are held out together.
        seed: Deals the groups to the folds.
    """
    names, group = np.unique(groups, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[group]
    won = lost = 0
    for number in range(FOLDS):
        held = fold == number
        if not held.any() or held.all():
            continue
        known, asked = answers[:, ~held], answers[:, held]
        single = max(range(len(answers)), key=lambda i: _worth(known[i], labels[~held]))
        votes = select_members(known, labels[~held])
        together = np.tensordot(votes.astype(np.float32), asked, 1).argmax(axis=1) == labels[held]
        alone = asked[single].argmax(axis=1) == labels[held]
        won += int(np.sum(together & ~alone))
        lost += int(np.sum(alone & ~together))
    return Gain(won, lost, len(labels))
