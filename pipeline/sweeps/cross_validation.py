"""Cross-validation: every image answered by heads that have not seen it, their options chosen without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation import Figures, measure
from pipeline.evaluation.fold_interval import fold_interval
from pipeline.heads import (
    GridHead,
    TrainedHead,
    TrainingData,
    describe_head,
    fit_on,
    load_head,
    make_head,
    most_folds,
    notes_on_folds,
    out_of_fold,
    row_groups,
    split_folds,
)
from pipeline.images.row_table import RowTable
from pipeline.progress import progress
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.fitting import fit_one, sweep_data
from pipeline.sweeps.results import joined, ranked
from pipeline.wording import counted

INNER_FOLDS = 3
"""Folds of the rows of a fold, in which options are chosen, or in which a network finds when to stop."""


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossValidation:
    """What cross-validation of a head came to.

    Attributes:
        features: All rows; ``split`` names the splits they come from.
        grid: The options that were chosen from, at least one candidate.
        index: int (n,), positions of the labelled images among them.
        groups: int (n,), what must stay together.
        probabilities: float64 (repeats, n, k), the answer to each image in each repeat.
        fold: int (repeats, n), the number of the fold that each image was answered in.
        chosen: The candidate of each fold, one repeat after the other.
        figures: Those of each repeat.
        notes: Remarks without which the figures would mislead.
    """

    features: FeatureSet
    grid: tuple[Candidate, ...]
    index: np.ndarray
    groups: np.ndarray
    probabilities: np.ndarray
    fold: np.ndarray
    chosen: tuple[Candidate, ...]
    figures: tuple[Figures, ...]
    notes: tuple[str, ...]

    @cached_property
    def rows(self) -> RowTable:
        """The n labelled images."""
        return self.features.rows.take(self.index)

    @cached_property
    def by_fold(self) -> np.ndarray:
        """Accuracy of each fold, float (repeats, folds)."""
        hits = self.probabilities.argmax(axis=2) == self.rows.labels
        folds = range(int(self.fold.max()) + 1)
        return np.array(
            [
                [right[number == one].mean() for one in folds]
                for right, number in zip(hits, self.fold, strict=True)
            ]
        )

    @property
    def accuracy(self) -> float:
        """Share of right answers, mean over the repeats."""
        return self.mean("accuracy")

    @property
    def accuracy_ci(self) -> tuple[float, float]:
        """Lower and upper end of its 95 % interval, see :func:`fold_interval`."""
        return fold_interval(self.by_fold, self.accuracy, len(np.unique(self.groups)))

    def mean(self, figure: str) -> float:
        """Returns the mean of a figure over the repeats."""
        return float(np.mean([getattr(one, figure) for one in self.figures]))

    @property
    def times_chosen(self) -> list[tuple[Candidate, int]]:
        """How many folds chose each candidate, the most frequent first."""
        count = Counter(one.key for one in self.chosen)
        known = {one.key: one for one in self.grid}
        return [(known[key], times) for key, times in count.most_common()]

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --cv --json`` prints."""
        first = self.figures[0]
        return {
            "head": self.grid[0].head,
            "dataset": self.features.dataset,
            "cv": {
                "folds": self.by_fold.shape[1],
                "repeats": len(self.figures),
                "accuracy": self.accuracy,
                "accuracy_ci": list(self.accuracy_ci),
                "balanced_accuracy": self.mean("balanced_accuracy"),
                "macro_f1": self.mean("macro_f1"),
                "log_loss": self.mean("log_loss"),
                "majority_class": first.majority.name,
                "majority_accuracy": first.majority_accuracy,
                "rows": len(self.rows),
                "groups": len(np.unique(self.groups)),
                "splits": self.features.split.split("+"),
                "by_repeat": [one.accuracy for one in self.figures],
                "by_fold": self.by_fold.tolist(),
                "chosen": [{"options": dict(one.options), "folds": n} for one, n in self.times_chosen],
                "inner_folds": INNER_FOLDS if len(self.grid) > 1 else None,
            },
            "notes": list(self.notes),
        }


def cross_validate(
    grid: Sequence[Candidate], features: FeatureSet, *, folds: int, repeats: int = 1, seed: int = 0
) -> CrossValidation:
    """Measures a head on every labelled image, each time by a fit that has seen neither it nor its kin.

    Where there are several candidates, each fold chooses among them by cross-validation of the rows it learns
    from alone (nested; M. Stone, "Cross-validatory choice and assessment of statistical predictions", JRSS B
    36 (1974)), so the figures are not those of the luckiest. Networks find when to stop in the same way.

    Args:
        grid: The head with its options, one candidate or several.
        features: All rows; augmented views are learnt from where their image is, and never measured on.
        folds: Number of folds.
        repeats: How often all rows are cut anew.
        seed: Seed of the first cut and of every fit.

    Raises:
        UsageError: The rows cannot be cut into so many folds.
        PipelineError: A fit fails.
    """
    probabilities, numbers, chosen, notes = [], [], [], []
    with progress("cross-validation", folds * repeats, "folds") as advance:

        def fit(learn: FeatureSet) -> TrainedHead:
            advance(1)
            best = _chosen(grid, learn, seed)
            chosen.append(best)
            return _fitted(best, learn, seed)

        for repeat in range(repeats):
            cut = split_folds(features, folds, seed=seed + repeat)
            notes += notes_on_folds(features, cut)
            proba, number = out_of_fold(cut, fit)
            probabilities.append(proba)
            numbers.append(number)
    images = np.flatnonzero(numbers[0] >= 0)
    labels, groups = features.labels[images], row_groups(features)[images]
    answers = np.stack(probabilities)[:, images]
    return CrossValidation(
        features=features,
        grid=tuple(grid),
        index=images,
        groups=groups,
        probabilities=answers,
        fold=np.stack(numbers)[:, images],
        chosen=tuple(chosen),
        figures=tuple(measure(labels, one, features.classes, groups=groups) for one in answers),
        notes=tuple(dict.fromkeys([*notes, *_remarks(features, groups)])),
    )


def trained_options(head: str, folder: Path) -> Candidate:
    """Returns a head with the options that it is trained with, or with its defaults where it is not.

    Args:
        head: Its name.
        folder: Its run folder.

    Raises:
        UsageError: There is no such head.
        PipelineError: The trained head is damaged.
    """
    defaults = {option.name: option.default for option in describe_head(head).options}
    if not folder.is_dir():
        return Candidate(head)
    options = load_head(folder).options
    changed = {name: str(value) for name, value in options.items() if value != defaults[name]}
    return Candidate(head, MappingProxyType(changed))


def _chosen(grid: Sequence[Candidate], learn: FeatureSet, seed: int) -> Candidate:
    """Returns the candidate with the highest accuracy on folds of the rows to learn from."""
    if len(grid) == 1:
        return grid[0]
    results = []
    for inner in _inner_folds(learn, seed):
        data = sweep_data(*inner, grid)
        results.append([fit_one(one, data, seed=seed)[0] for one in grid])
    return ranked([joined(parts) for parts in zip(*results, strict=True)])[0].candidate


def _fitted(candidate: Candidate, learn: FeatureSet, seed: int) -> TrainedHead:
    """Fits on all rows of a fold; a network keeps some of them back to find when to stop."""
    valid = None
    if not isinstance(make_head(candidate.head, candidate.options), GridHead):
        learn, valid = _inner_folds(learn, seed)[0]
    return fit_on(TrainingData.of(learn, valid), candidate.head, options=candidate.options, seed=seed)


def _inner_folds(learn: FeatureSet, seed: int) -> list[tuple[FeatureSet, FeatureSet]]:
    return split_folds(learn, max(min(INNER_FOLDS, most_folds(learn)), 2), seed=seed)


def _remarks(features: FeatureSet, groups: np.ndarray) -> list[str]:
    notes = []
    if features.spec.weights.startswith("random:"):
        notes.append(
            f"RANDOM FILTERS ({features.spec.weights}): the base was never trained, so the figures tell that "
            "the pipeline works, not what the base can do. Use `--weights imagenet`"
        )
    if len(np.unique(groups)) < len(groups):
        notes.append(
            f"the {counted(len(groups), 'row')} belong to {counted(len(np.unique(groups)), 'group')} (of the "
            "source, or copies of an image), none of which is learnt from and measured on in the same fold"
        )
    return notes
