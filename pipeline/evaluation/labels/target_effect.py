"""What suspected labels or numbers cost: figures of a head that learns them, and of one that does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.labels.effect import MEASURED_ON
from pipeline.evaluation.targets.part_figures import ranking
from pipeline.evaluation.targets.resamples import intervals
from pipeline.heads import TrainingData, fit_on, keep_labels, row_groups
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS, score
from pipeline.images.targets import known_rows
from pipeline.wording import counted


@dataclass(frozen=True)
class TargetEffect:
    """The figure with and without some labels or numbers of train, on the same rows of another split.

    Attributes:
        head: Name of the head.
        figure: ``map`` or ``r2``.
        split: What was measured on.
        n: Rows of it.
        learnt: Training rows.
        removed: Labels or numbers that the second head does not know.
        value: The figure after learning from all.
        value_without: The figure without the removed ones.
        gain_ci: Ends of the 95 % bootstrap interval of the second minus the first, on the same resamples;
            None of fewer than ten groups of rows, or where both answer the same.
    """

    head: str
    figure: str
    split: str
    n: int
    learnt: int
    removed: int
    value: float
    value_without: float
    gain_ci: tuple[float, float] | None

    @property
    def line(self) -> str:
        """The figures in words."""
        learnt, suspects = counted(self.learnt, "row"), counted(self.removed, "suspect")
        low, high = self.gain_ci or (0.0, 0.0)
        band = f" (95% of the difference: {low:+.3f} to {high:+.3f})" if self.gain_ci else ""
        return (
            f"{self.head} on {self.split}, {counted(self.n, 'row')}: "
            f"{IN_WORDS[self.figure]} {self.value:.4f} after learning from all {learnt} of train, "
            f"{self.value_without:.4f} without the {suspects} among them{band}."
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the figures by name."""
        return {
            "head": self.head,
            "split": self.split,
            "n": self.n,
            "learnt": self.learnt,
            "removed": self.removed,
            self.figure: self.value,
            f"{self.figure}_without": self.value_without,
            "gain_ci": None if self.gain_ci is None else list(self.gain_ci),
        }


def measure_target_effect(
    features: FeatureSet, split: np.ndarray, suspected: np.ndarray, head: str, *, seed: int = 0
) -> TargetEffect | None:
    """Trains a head with and without suspected labels or numbers of train and measures both.

    What is suspected of measured rows stays: without it both figures would be flattered.

    Args:
        features: The images of all splits.
        split: Split of each, str (N,).
        suspected: bool (N, k).
        head: Name of the head.
        seed: Seed of the fits.

    Returns:
        None where nothing of train is suspected, nothing can be measured on, or nothing is left to learn.
    """
    train = features.known & (split == "train")
    held_out = next((name for name in MEASURED_ON if (features.known & (split == name)).any()), None)
    removed = suspected & train[:, None]
    targets = features.targets.copy()
    targets[removed] = np.nan
    left = train & known_rows(targets)
    if held_out is None or not removed.any() or not left.any():
        return None
    asked = select_all(keep_labels(features, np.flatnonzero(features.known & (split == held_out))))
    without = replace(features, rows=replace(features.rows, targets=targets))
    answers = [
        fit_on(TrainingData.of(keep_labels(one, np.flatnonzero(kept))), head, seed=seed).answer(asked)
        for one, kept in ((features, train), (without, left))
    ]
    kind, name = features.target, FIGURES[features.target]
    figures = [ranking(kind, asked.targets, one) for one in answers]

    def gain(weights: np.ndarray) -> dict[str, np.ndarray]:
        first, second = (one(weights)[name] for one in figures)
        return {"gain": second - first}

    value, value_without = (score(kind, asked.targets, one) for one in answers)
    return TargetEffect(
        head=head,
        figure=name,
        split=held_out,
        n=len(asked),
        learnt=int(train.sum()),
        removed=int(removed.sum()),
        value=value,
        value_without=value_without,
        gain_ci=intervals(gain, len(asked), row_groups(features)[asked.index]).get("gain"),
    )
