"""Labels that are likely wrong, and images that are odd, by answers of heads that have not seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.whole_set import whole_set
from pipeline.errors import UsageError
from pipeline.evaluation.labels.confident import confident_classes, error_probabilities, margins
from pipeline.evaluation.labels.effect import Effect, measure_effect
from pipeline.evaluation.labels.odd import REFERENCES, OddImage, find_odd, most_alike
from pipeline.evaluation.leaks.likeness import Whitening
from pipeline.evaluation.pooled import pooled_images
from pipeline.heads import TrainedHead, TrainingData, fit_on, most_folds, out_of_fold, row_groups, split_folds
from pipeline.images import UNLABELLED
from pipeline.images.row_table import RowTable
from pipeline.wording import counted

FOLDS = 5
HEADS: tuple[tuple[str, dict[str, object]], ...] = (("logreg", {"C": 0.001}), ("knn", {}))
"""A fast head, and neighbours: errors that both see are rarely none."""
LEAST = 0.5
"""Probability of an error below which a label is left alone: it is more likely right than wrong."""
EFFECT_HEAD = "logreg"
"""The head that `evaluate` takes, with its defaults: it shows what the errors cost there."""
MOST_NEIGHBOURS = 50_000
"""Images above which neighbours, whose time grows with the square, are not asked."""
SAMPLE = 4096


@dataclass(frozen=True, eq=False)
class Suspect:
    """An image whose label is likely wrong.

    Attributes:
        row: Its row.
        given: Its label.
        suggested: The class that it is taken for.
        score: How likely the label is wrong, 0.5 to 1.
        alike: The row of the most similar image of each class, int (k,); -1 where there is none.
    """

    row: int
    given: int
    suggested: int
    score: float
    alike: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelCheck:
    """What a check of labels found.

    Attributes:
        features: The images of all splits, pooled.
        split: Split of each image, str (N,).
        checked: Labelled images that were looked at.
        suspects: The likely errors, the surest first.
        odd: The odd images, repeated ones first.
        effect: Figures with and without the suspects; None where none can be had.
        notes: What was not looked at, and why.
    """

    features: FeatureSet
    split: np.ndarray
    checked: int
    suspects: tuple[Suspect, ...]
    odd: tuple[OddImage, ...]
    effect: Effect | None
    notes: tuple[str, ...]

    @property
    def rows(self) -> RowTable:
        """The images."""
        return self.features.rows

    @cached_property
    def suspected(self) -> np.ndarray:
        """Which images are suspects, bool (N,)."""
        found = np.zeros(len(self.rows), bool)
        found[[one.row for one in self.suspects]] = True
        return found

    def same_picture(self, row: int) -> np.ndarray:
        """Returns the rows, in whatever split, whose file is byte for byte that of a row, int (m,)."""
        return np.flatnonzero((self.rows.digests == self.rows.digests[row]).all(axis=1))

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline check --labels --json`` prints."""
        ids, classes = self.rows.ids, self.features.classes
        return {
            "dataset": self.features.dataset,
            "checked": self.checked,
            "labels": [
                {
                    "id": ids[one.row],
                    "split": str(self.split[one.row]),
                    "given": classes[one.given],
                    "suggested": classes[one.suggested],
                    "score": one.score,
                    "alike": {classes[i]: ids[row] for i, row in enumerate(one.alike) if row >= 0},
                }
                for one in self.suspects
            ],
            "odd": [
                {
                    "id": ids[one.row],
                    "split": str(self.split[one.row]),
                    "label": classes[self.rows.labels[one.row]],
                    "kind": one.kind,
                    "value": one.value,
                }
                for one in self.odd
            ],
            "effect": self.effect.to_json() if self.effect else None,
            "notes": list(self.notes),
        }


def check_labels(splits: Sequence[FeatureSet], *, seed: int = 0) -> LabelCheck:
    """Looks for labels that honest answers contradict, and for odd images, in all splits together.

    Every image is answered by heads that have seen neither it nor its copies or group; a label is suspected
    where the mean answer contradicts it in the sense of confident learning, each head by itself has another
    class as the most probable one, and the label is more likely wrong than right.

    Args:
        splits: The splits of an entry; unlabelled images and augmented views are left out.
        seed: Seed of the folds.

    Raises:
        UsageError: There are too few labelled images to be cut into folds.
        CacheMismatchError: A row is damaged.
    """
    parts = [pooled_images(one) for one in splits]
    features = whole_set(parts)
    split = np.repeat([one.split for one in parts], [len(one) for one in parts])
    if most_folds(features) < 2:
        raise UsageError(
            f"the labels of {features.dataset} cannot be checked: it takes two groups of labelled images, "
            "and a class of two"
        )
    labelled = np.flatnonzero(features.labels != UNLABELLED)
    labels, groups = features.labels[labelled], row_groups(features)[labelled]
    digests = np.ascontiguousarray(features.rows.digests[labelled]).view("V32").reshape(-1)
    pictures = np.unique(digests, return_inverse=True)[1]
    notes = []
    heads = HEADS if len(labelled) <= MOST_NEIGHBOURS else HEADS[:1]
    if heads != HEADS:
        notes.append(f"of more than {counted(MOST_NEIGHBOURS, 'image')} no neighbours are asked")
    if len(labelled) > REFERENCES:
        notes.append(
            f"odd images are those unlike a random sample of {counted(REFERENCES, 'image')}, "
            "of every class its share"
        )
    suggested, score, margin = _contradicted(features, heads, labelled, seed)
    vectors = features.to_memory()
    sample = vectors[:: -(-len(vectors) // SAMPLE)]
    directions = Whitening.of(sample).directions(vectors)[labelled]
    del vectors
    rows = np.flatnonzero(suggested != labels)
    rows = rows[np.lexsort((-margin[rows], -score[rows]))]
    alike = most_alike(directions, labels, groups, rows, len(features.classes))
    suspects = tuple(
        Suspect(
            int(labelled[row]),
            int(labels[row]),
            int(suggested[row]),
            float(score[row]),
            np.where(near >= 0, labelled[near], -1),
        )
        for row, near in zip(rows, alike, strict=True)
    )
    odd = tuple(
        replace(one, row=int(labelled[one.row])) for one in find_odd(directions, labels, groups, pictures)
    )
    removed = np.zeros(len(features), bool)
    removed[labelled[rows]] = True
    return LabelCheck(
        features=features,
        split=split,
        checked=len(labelled),
        suspects=suspects,
        odd=odd,
        effect=measure_effect(features, split, removed, EFFECT_HEAD, {}, seed=seed),
        notes=tuple(notes),
    )


def _contradicted(
    features: FeatureSet, heads: Sequence[tuple[str, dict[str, object]]], labelled: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the class each image is taken for, int (n,), how likely its label is wrong, and the margin."""
    labels = features.labels[labelled]
    folds = split_folds(features, min(FOLDS, most_folds(features)), seed=seed)
    answers = [out_of_fold(folds, partial(_fit, head, seed))[0][labelled] for head in heads]
    mean = np.mean(answers, axis=0)
    score = error_probabilities(mean, labels)
    suggested = np.where(score >= LEAST, confident_classes(mean, labels), labels)
    for one in answers:
        suggested = np.where(one.argmax(axis=1) == labels, labels, suggested)
    return suggested, score, margins(mean, labels, suggested)


def _fit(head: tuple[str, dict[str, object]], seed: int, learn: FeatureSet) -> TrainedHead:
    name, options = head
    return fit_on(TrainingData.of(learn), name, options=options, seed=seed)
