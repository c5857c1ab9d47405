"""How an exported model speaks of what its head answers with: classes, several labels, or numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.heads import TrainedHead
from pipeline.images.targets import CLASS, LABELS, NUMBER


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is said of a kind, and how its answers are had.

    Attributes:
        output: Name of the output with the answers, and of more than one of them.
        one: One answer, in words.
        names: What the answers are about: key of their names in the model, and in what ``--json`` prints.
        network: What the network is called.
        meaning: What its answers mean, for whoever finds the model alone; empty where the names say it.
        apart: What a difference of answers is told in, behind the number.
        ask: Has a head answer for rows, float64 (n, k).
        units: What differences are divided by to be told, float64 (k,), for a head and a split.
    """

    output: str
    one: str
    names: str
    network: str
    meaning: str
    apart: str
    ask: Callable[[TrainedHead, FeatureSet], np.ndarray]
    units: Callable[[TrainedHead, FeatureSet], np.ndarray]

    def difference(self, most: float) -> str:
        """Says how far answers of a model are from those of its head at most."""
        return f"{self.output} differ by at most {most:.1g}{self.apart} from the head's"


def _ones(trained: TrainedHead, features: FeatureSet) -> np.ndarray:
    return np.ones(len(trained.classes))


def _deviations(trained: TrainedHead, features: FeatureSet) -> np.ndarray:
    """Returns the standard deviation of each number over a split.

    A number that does not vary there, or is not known, has its distance from 0 in the training instead.
    """
    units = np.abs(trained.offsets) if trained.offsets else np.ones(len(trained.classes))
    for place, name in enumerate(trained.classes):
        if name in features.classes:
            values = features.targets[:, features.classes.index(name)].astype(np.float64)
            known = values[~np.isnan(values)]
            if len(known) and np.ptp(known) > 0:
                units[place] = known.std()
    return np.where(units > 0, units, 1.0)


KINDS = {
    CLASS: Kind(
        output="probabilities",
        one="a probability",
        names="classes",
        network="classifier",
        meaning="",
        apart="",
        ask=TrainedHead.predict_proba,
        units=_ones,
    ),
    LABELS: Kind(
        output="probabilities",
        one="a probability",
        names="labels",
        network="classifier",
        meaning="a probability for each label, which need not sum to 1; an image has the labels whose "
        "probability is at or above their threshold",
        apart="",
        ask=TrainedHead.predict_targets,
        units=_ones,
    ),
    NUMBER: Kind(
        output="numbers",
        one="a number",
        names="numbers",
        network="regressor",
        meaning="a value for each number, in the unit that it was given in for the training",
        apart=" standard deviations",
        ask=TrainedHead.predict_targets,
        units=_deviations,
    ),
}


def kind_of(trained: TrainedHead) -> Kind:
    """Returns how a model of a head speaks."""
    return KINDS[trained.task.target]


def thresholds_of(trained: TrainedHead) -> tuple[float, ...]:
    """Returns the probability from which each label is answered; nothing of other kinds."""
    if trained.task.target != LABELS:
        return ()
    return tuple(trained.answered_from.tolist())
