"""How much there is to learn from an image without a label, by kind of target.

Of classes and labels a head says how sure it is. One answer with a number says nothing of the kind: there it
counts how far an image is from those that have a number (O. Sener, S. Savarese, "Active learning for
convolutional neural networks: a core-set approach", ICLR 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.heads import Examples, TrainedHead
from pipeline.images.targets import CLASS, LABELS

MEASURES = {CLASS: "margin", LABELS: "entropy"}
DISTANCE = "distance"


@dataclass(frozen=True, eq=False)
class Unsure:
    """What a head thinks of images.

    Attributes:
        measure: ``margin``: how much more probable the first class is than the second; ``entropy``: the mean
            over labels, 1 where each is as likely as not.
        values: float (n,).
        sureness: float (n,), 0 to 1: small ones are asked about first.
        guesses: n texts, what the head takes them for.
    """

    measure: str
    values: np.ndarray
    sureness: np.ndarray
    guesses: list[str]


def can_be_asked(train: FeatureSet) -> bool:
    """Tells whether a head can be learnt from some rows that says how sure it is."""
    if train.target == CLASS:
        return len(np.unique(train.labels[train.known])) > 1
    return train.target == LABELS and bool(train.known.any())


def how_unsure(head: TrainedHead, features: FeatureSet, rows: np.ndarray) -> Unsure:
    """Asks a head of classes or labels about rows, int (n,)."""
    if features.target == CLASS:
        probabilities = head.predict_proba(features)[rows]
        margins = margins_of(probabilities)
        guesses = [head.classes[i] for i in probabilities.argmax(axis=1)]
        return Unsure(MEASURES[CLASS], margins, margins, guesses)
    probabilities = head.answer(
        Examples(features, rows, np.zeros(len(rows), np.int64), features.targets[rows])
    )
    entropy = entropy_of(probabilities)
    held = probabilities >= head.answered_from
    guesses = [", ".join(head.classes[i] for i in np.flatnonzero(row)) for row in held]
    return Unsure(MEASURES[LABELS], entropy, 1 - entropy, guesses)


def margins_of(probabilities: np.ndarray) -> np.ndarray:
    """Returns how much more probable the first class is than the second, float (n,), by float (n, k)."""
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return first - second


def entropy_of(probabilities: np.ndarray) -> np.ndarray:
    """Returns the mean entropy of labels in bits, float (n,), by float (n, k): each is there or not."""
    from scipy.special import entr

    return np.asarray((entr(probabilities) + entr(1 - probabilities)).mean(axis=1) / np.log(2))


def farthest_first(described: np.ndarray, known: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Takes again and again what is farthest from all that is known or taken.

    Args:
        described: float32 (n, d) of length 1, n >= count.
        known: float32 (m, d) of length 1, at least one.
        count: How many.

    Returns:
        int (count,), and how far each was then, one minus the cosine to the nearest, float (count,).
    """
    nearest = np.full(len(described), -np.inf, np.float32)
    for start in range(0, len(known), 1024):
        nearest = np.maximum(nearest, (described @ known[start : start + 1024].T).max(axis=1))
    taken, distances = np.empty(count, int), np.empty(count)
    for place in range(count):
        row = int(nearest.argmin())
        taken[place], distances[place] = row, 1 - nearest[row]
        nearest = np.maximum(nearest, described @ described[row])
        nearest[row] = np.inf
    return taken, np.clip(distances, 0, 2)
