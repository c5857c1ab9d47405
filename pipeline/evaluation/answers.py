"""What a head answers to the images of a split, and what their labels are to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.images.row_table import RowTable
from pipeline.wording import several

if TYPE_CHECKING:
    from pipeline.heads import SeenImages, Temperature


class Classifier(Protocol):
    """What an evaluation needs of a trained head.

    Attributes:
        name: Name of the head, e.g. ``logreg``.
        classes: The k class names its probabilities are about.
        history: Figures by epoch, empty where training had no epochs.
        versions: Version of each distribution that took part in the training.
        seen: The images that it was trained and validated on; None where that is not known.
        temperature: What its answers are calibrated with; None where they are not.
        known: bool (k,), classes that had training rows; the probability of any other is always 0.
        folder: The run folder of the head; None where it is not saved.
    """

    name: str
    classes: tuple[str, ...]
    history: dict[str, list[float]]
    versions: dict[str, str]
    seen: SeenImages | None
    temperature: Temperature | None
    known: np.ndarray
    folder: Path | None

    def uncalibrated_proba(self, features: FeatureSet) -> np.ndarray:
        """Returns float (n, k), a probability for each row and class, without the temperature.

        Raises:
            CacheMismatchError: The features have another spec than those the head was trained on.
        """
        ...


def uncalibrated_answers(head: Classifier, features: FeatureSet) -> tuple[RowTable, np.ndarray]:
    """Returns the n rows that are no augmented views, labels as the head counts, and float (n, k).

    Raises:
        CacheMismatchError: The head does not know a class of the split, or the features' spec.
    """
    labels = _labels_of(head, features)
    originals = features.rows.views == 0
    rows = replace(features.rows, labels=labels).take(originals)
    return rows, head.uncalibrated_proba(features)[originals]


def _labels_of(head: Classifier, features: FeatureSet) -> np.ndarray:
    """Returns int32 (N,): the features' labels as indices into the classes of the head."""
    positions = {name: i for i, name in enumerate(head.classes)}
    used = [features.classes[i] for i in np.unique(features.labels[features.labels >= 0])]
    strangers = [name for name in used if name not in positions]
    if strangers:
        raise CacheMismatchError(
            f"head {head.name!r} does not know {len(strangers)} of the classes in {features.dataset} "
            f"{features.split}: {several(strangers)}. "
            "Run `pipeline train-head` on a split that has them"
        )
    # The extra last place is what the label -1 picks: unlabelled stays unlabelled.
    translation = [positions.get(name, -1) for name in features.classes] + [-1]
    return np.array(translation, np.int32)[features.labels]
