"""What evidence adds up to: the score of a class, of a label or of a number, by what a head answers."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pipeline.heads import TrainedHead
from pipeline.images.targets import CLASS, LABELS, NUMBER

_TINY = np.finfo(np.float64).tiny


class Scores(Protocol):
    """The scores of one kind of head."""

    def ask(self, head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns what a head answers to features (n, ...), float64 (n, k)."""

    def score(self, head: TrainedHead, answers: np.ndarray, place: int) -> np.ndarray:
        """Returns the score of the answer at a place, float64 (n,), by answers (n, k)."""

    def doubt(self, answer: np.ndarray, place: int) -> float:
        """Tells what a head leaves to other answers for one image, by its answer (k,).

        Probabilities that leave too little no longer tell differences in single precision.
        """


class ClassScores:
    """The logarithm of a class's probability, less the mean logarithm of the other known classes."""

    def ask(self, head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns probabilities of classes."""
        return head.predict_new(features)

    def score(self, head: TrainedHead, answers: np.ndarray, place: int) -> np.ndarray:
        """Returns the score of a class that had training rows."""
        logarithms = np.log(np.maximum(answers[:, head.known], _TINY))
        own = np.flatnonzero(head.known).tolist().index(place)
        return logarithms[:, own] - np.delete(logarithms, own, axis=1).mean(axis=1)

    def doubt(self, answer: np.ndarray, place: int) -> float:
        """Returns what all classes but the most probable share."""
        return float(np.sort(answer)[:-1].sum())


class LabelScores:
    """The logarithm of the odds of a label: of linear heads their linear score."""

    def ask(self, head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns probabilities of labels."""
        return head.new_targets(features)

    def score(self, head: TrainedHead, answers: np.ndarray, place: int) -> np.ndarray:
        """Returns the log-odds of a label."""
        own = answers[:, place]
        return np.log(np.maximum(own, _TINY)) - np.log(np.maximum(1 - own, _TINY))

    def doubt(self, answer: np.ndarray, place: int) -> float:
        """Returns the probability of the less probable of yes and no."""
        return float(min(answer[place], 1 - answer[place]))


class NumberScores:
    """A number itself."""

    def ask(self, head: TrainedHead, features: np.ndarray) -> np.ndarray:
        """Returns numbers."""
        return head.new_targets(features)

    def score(self, head: TrainedHead, answers: np.ndarray, place: int) -> np.ndarray:
        """Returns the values of a number."""
        return answers[:, place]

    def doubt(self, answer: np.ndarray, place: int) -> float:
        """Returns 1: numbers tell differences wherever they are."""
        return 1.0


SCORES: dict[str, Scores] = {CLASS: ClassScores(), LABELS: LabelScores(), NUMBER: NumberScores()}
