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
from pipeline.evaluation.labels.target_effect import TargetEffect, measure_target_effect
from pipeline.evaluation.labels.target_suspects import (
    LEAST,
    SURE,
    TargetSuspect,
    alike_in,
    find_target_suspects,
    untold_labels,
)
from pipeline.evaluation.leaks.likeness import Whitening
from pipeline.evaluation.pooled import note_on_channels, pooled_images
from pipeline.heads import TrainedHead, TrainingData, fit_on, most_folds, out_of_fold, row_groups, split_folds
from pipeline.images.row_table import RowTable
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.wording import counted, readable, several

FOLDS = 5
HEADS: tuple[tuple[str, dict[str, object]], ...] = (("logreg", {"C": 0.001}), ("knn", {}))
"""A fast head, and neighbours: errors that both see are rarely none."""
HEADS_OF = {CLASS: HEADS, LABELS: HEADS, NUMBER: (("ridge", {}), ("knn", {}))}
"""Those that learn each kind of target."""
EFFECT_HEAD = "logreg"
"""The head that `evaluate` takes, with its defaults: it shows what the errors cost there."""
EFFECT_HEAD_OF = {LABELS: EFFECT_HEAD, NUMBER: "ridge"}
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

    def cells(self, names: Sequence[str]) -> dict[str, str]:
        """Returns what a terminal shows of it, by column."""
        return {"given": names[self.given], "suggested": names[self.suggested]}

    def to_json(self, names: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
        """Returns what JSON tells of it."""
        near = {names[i]: ids[row] for i, row in enumerate(self.alike) if row >= 0}
        return self.cells(names) | {"score": self.score, "alike": near}

    def words(self, names: Sequence[str]) -> str:
        """Says what is wrong."""
        given, suggested = readable(names[self.given]), readable(names[self.suggested])
        likely = f"{self.score:.0%}" if self.score < SURE else f"over {SURE:.0%}"
        return f"{suggested} rather than {given}: {likely} likely an error"

    def likes(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """Returns the rows to show beside it, of the suggested class first, and what each is."""
        first = [self.suggested, self.given]
        others = [label for label in range(len(names)) if label not in first]
        return [
            (int(self.alike[label]), f"most like it of {readable(names[label])}")
            for label in first + others
            if self.alike[label] >= 0
        ]


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
    suspects: tuple[Suspect | TargetSuspect, ...]
    odd: tuple[OddImage, ...]
    effect: Effect | TargetEffect | None
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
                    **one.to_json(classes, ids),
                }
                for one in self.suspects
            ],
            "odd": [
                {
                    "id": ids[one.row],
                    "split": str(self.split[one.row]),
                    "label": self.features.told(one.row),
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
    another class as the most probable one, and the label is more likely wrong than right. Of several labels
    an image each is checked by itself; numbers are suspected where they are far from every answer.

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
            f"the labels of {features.dataset} cannot be checked: it takes two groups of labelled images"
            f"{', and a class of two' if features.target == CLASS else ''}"
        )
    labelled = np.flatnonzero(features.known)
    groups = row_groups(features)[labelled]
    digests = np.ascontiguousarray(features.rows.digests[labelled]).view("V32").reshape(-1)
    pictures = np.unique(digests, return_inverse=True)[1]
    notes = note_on_channels(splits[0])
    heads = HEADS_OF[features.target]
    if len(labelled) > MOST_NEIGHBOURS:
        heads = heads[:1]
        notes.append(f"of more than {counted(MOST_NEIGHBOURS, 'image')} no neighbours are asked")
    if len(labelled) > REFERENCES:
        shares = ", of every class its share" if features.target == CLASS else ""
        notes.append(f"odd images are those unlike a random sample of {counted(REFERENCES, 'image')}{shares}")
    folds = split_folds(features, min(FOLDS, most_folds(features)), seed=seed)
    answers = [out_of_fold(folds, partial(_fit, head, seed))[0][labelled] for head in heads]
    vectors = features.to_memory()
    sample = vectors[:: -(-len(vectors) // SAMPLE)]
    directions = Whitening.of(sample).directions(vectors)[labelled]
    del vectors
    suspects: tuple[Suspect | TargetSuspect, ...]
    effect: Effect | TargetEffect | None
    if features.target == CLASS:
        kinds = features.labels[labelled]
        suspects, effect = _of_classes(features, split, labelled, answers, directions, groups, seed)
    else:
        kinds = np.zeros(len(labelled), int)  # odd among all images: they have no class to be odd in
        untold = untold_labels(features.targets[labelled], answers) if features.target == LABELS else []
        if untold:
            names = several([features.classes[part] for part in untold])
            notes.append(f"not checked, since these features tell too little of them: {names}")
        suspects, effect = _of_targets(features, split, labelled, answers, untold, directions, groups, seed)
    odd = tuple(
        replace(one, row=int(labelled[one.row])) for one in find_odd(directions, kinds, groups, pictures)
    )
    return LabelCheck(
        features=features,
        split=split,
        checked=len(labelled),
        suspects=suspects,
        odd=odd,
        effect=effect,
        notes=tuple(notes),
    )


def _of_classes(
    features: FeatureSet,
    split: np.ndarray,
    labelled: np.ndarray,
    answers: Sequence[np.ndarray],
    directions: np.ndarray,
    groups: np.ndarray,
    seed: int,
) -> tuple[tuple[Suspect, ...], Effect | None]:
    labels = features.labels[labelled]
    suggested, score, margin = _contradicted(answers, labels)
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
    removed = np.zeros(len(features), bool)
    removed[labelled[rows]] = True
    return suspects, measure_effect(features, split, removed, EFFECT_HEAD, {}, seed=seed)


def _of_targets(
    features: FeatureSet,
    split: np.ndarray,
    labelled: np.ndarray,
    answers: Sequence[np.ndarray],
    untold: Sequence[int],
    directions: np.ndarray,
    groups: np.ndarray,
    seed: int,
) -> tuple[tuple[TargetSuspect, ...], TargetEffect | None]:
    kind, targets = features.target, features.targets[labelled]
    targets[:, untold] = np.nan
    removed, suspects = np.zeros(features.targets.shape, bool), []
    for one in find_target_suspects(kind, targets, answers, alike_in(directions, groups)):
        row, near = int(labelled[one.row]), np.where(one.alike >= 0, labelled[one.alike], -1)
        suspects.append(replace(one, row=row, alike=near))
        removed[row, one.part] = True
    effect = measure_target_effect(features, split, removed, EFFECT_HEAD_OF[kind], seed=seed)
    return tuple(suspects), effect


def _contradicted(
    answers: Sequence[np.ndarray], labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the class each image is taken for, int (n,), how likely its label is wrong, and the margin."""
    mean = np.mean(answers, axis=0)
    score = error_probabilities(mean, labels)
    suggested = np.where(score >= LEAST, confident_classes(mean, labels), labels)
    for one in answers:
        suggested = np.where(one.argmax(axis=1) == labels, labels, suggested)
    return suggested, score, margins(mean, labels, suggested)


def _fit(head: tuple[str, dict[str, object]], seed: int, learn: FeatureSet) -> TrainedHead:
    name, options = head
    return fit_on(TrainingData.of(learn), name, options=options, seed=seed)
