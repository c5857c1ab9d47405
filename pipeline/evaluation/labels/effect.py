"""What the suspected labels cost: figures of one head that learns from them, and of one that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.comparison import mcnemar
from pipeline.evaluation.metrics import wilson_interval
from pipeline.heads import TrainingData, fit_on, keep_labels
from pipeline.heads._core.examples import select
from pipeline.images import UNLABELLED
from pipeline.wording import counted

MEASURED_ON = ("test", "val")


@dataclass(frozen=True)
class Effect:
    """Accuracy with and without some training rows, on the same rows of another split, all of them.

    Suspects among the measured rows stay: without them both figures would be flattered.

    Attributes:
        head: Name of the head.
        split: What was measured on.
        n: Rows of it.
        learnt: Training rows with the suspects.
        removed: Suspects among them.
        right: Right answers after learning from all.
        right_without: Right answers after learning from all but the suspects.
        p: p-value of McNemar's exact test of the two.
    """

    head: str
    split: str
    n: int
    learnt: int
    removed: int
    right: int
    right_without: int
    p: float

    @property
    def line(self) -> str:
        """The figures in words."""
        learnt, suspects = counted(self.learnt, "row"), counted(self.removed, "suspect")
        return (
            f"{self.head} on {self.split}, {counted(self.n, 'row')}: accuracy {self.right / self.n:.2%} "
            f"after learning from all {learnt} of train, {self.right_without / self.n:.2%} "
            f"without the {suspects} among them (McNemar p = {self.p:.3f})."
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the figures by name."""
        return {
            "head": self.head,
            "split": self.split,
            "n": self.n,
            "learnt": self.learnt,
            "removed": self.removed,
            "accuracy": self.right / self.n,
            "accuracy_ci": list(wilson_interval(self.right, self.n)),
            "accuracy_without": self.right_without / self.n,
            "accuracy_without_ci": list(wilson_interval(self.right_without, self.n)),
            "p": self.p,
        }


def measure_effect(
    features: FeatureSet,
    split: np.ndarray,
    suspected: np.ndarray,
    head: str,
    options: Mapping[str, object],
    *,
    seed: int = 0,
) -> Effect | None:
    """Trains a head with and without suspected training rows and measures both on test, or on val.

    Args:
        features: The images of all splits.
        split: Split of each, str (N,).
        suspected: bool (N,).
        head: Name of the head.
        options: Its options.
        seed: Seed of the fits.

    Returns:
        None where no training row is suspected, nothing can be measured on, or too little is left to learn.
    """
    labelled = features.labels != UNLABELLED
    train = labelled & (split == "train")
    held_out = next((name for name in MEASURED_ON if (labelled & (split == name)).any()), None)
    if held_out is None or not (train & suspected).any():
        return None
    asked = keep_labels(features, np.flatnonzero(labelled & (split == held_out)))
    hits = []
    for kept in (train, train & ~suspected):
        try:
            data = TrainingData.of(keep_labels(features, np.flatnonzero(kept)))
        except UsageError:  # fewer than two classes are left
            return None
        examples = select(asked, np.arange(len(features.classes)))
        answers = fit_on(data, head, options=options, seed=seed).predict_examples(examples)
        hits.append(answers.argmax(axis=1) == examples.labels)
    both, without = hits
    return Effect(
        head=head,
        split=held_out,
        n=len(both),
        learnt=int(train.sum()),
        removed=int((train & suspected).sum()),
        right=int(both.sum()),
        right_without=int(without.sum()),
        p=mcnemar(int((both & ~without).sum()), int((without & ~both).sum())),
    )
