"""Cross-validation: every image answered by heads that have not seen it, their options chosen without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
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
from pipeline.heads._core.target_figures import best_thresholds
from pipeline.images.targets import CLASS, LABELS, NOUNS
from pipeline.progress import progress
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.class_folds import CrossValidation
from pipeline.sweeps.fitting import fit_and_answer, sweep_data
from pipeline.sweeps.fold_answers import INNER_FOLDS, FoldAnswers
from pipeline.sweeps.results import joined, ranked
from pipeline.sweeps.target_folds import TargetCrossValidation
from pipeline.wording import counted

__all__ = ["INNER_FOLDS", "CrossValidation", "TargetCrossValidation", "cross_validate", "trained_options"]


def cross_validate(
    grid: Sequence[Candidate], features: FeatureSet, *, folds: int, repeats: int = 1, seed: int = 0
) -> FoldAnswers:
    """Measures a head on every labelled image, each time by a fit that has seen neither it nor its kin.

    Where there are several candidates, each fold chooses among them by cross-validation of the rows it learns
    from alone (nested; M. Stone, "Cross-validatory choice and assessment of statistical predictions", JRSS B
    36 (1974)), so the figures are not those of the luckiest. Networks find when to stop in the same way, and
    thresholds of labels are chosen on answers to folds of those rows.

    Args:
        grid: The head with its options, one candidate or several.
        features: All rows; augmented views are learnt from where their image is, and never measured on.
        folds: Number of folds.
        repeats: How often all rows are cut anew.
        seed: Seed of the first cut and of every fit.

    Returns:
        A :class:`CrossValidation` of classes, or a :class:`TargetCrossValidation` of labels or numbers.

    Raises:
        UsageError: The rows cannot be cut into so many folds.
        PipelineError: A fit fails.
    """
    found, numbers, chosen, notes, thresholds = [], [], [], [], []
    with progress("cross-validation", folds * repeats, "folds") as advance:

        def fit(learn: FeatureSet) -> TrainedHead:
            advance(1)
            best = _chosen(grid, learn, seed)
            chosen.append(best)
            if learn.target == LABELS:
                thresholds.append(_thresholds(best, learn, seed))
            return _fitted(best, learn, seed)

        for repeat in range(repeats):
            cut = split_folds(features, folds, seed=seed + repeat)
            notes += notes_on_folds(features, cut)
            answers, number = out_of_fold(cut, fit)
            found.append(answers)
            numbers.append(number)
    images = np.flatnonzero(numbers[0] >= 0)
    groups = row_groups(features)[images]
    fold = np.stack(numbers)[:, images]
    notes += _remarks(features, images, groups)
    shared: dict[str, Any] = {
        "features": features,
        "grid": tuple(grid),
        "index": images,
        "groups": groups,
        "answers": np.stack(found)[:, images],
        "fold": fold,
        "chosen": tuple(chosen),
        "notes": tuple(dict.fromkeys(notes)),
    }
    if features.target == CLASS:
        return CrossValidation(**shared)
    limits = np.array(thresholds).reshape(repeats, folds, -1)
    of_images = np.stack([own[number] for own, number in zip(limits, fold, strict=True)])
    return TargetCrossValidation(**shared, thresholds=of_images)


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
    """Returns the candidate that is worth most on folds of the rows to learn from."""
    if len(grid) == 1:
        return grid[0]
    results = []
    for inner in _inner_folds(learn, seed):
        data = sweep_data(*inner, grid)
        results.append([fit_and_answer(one, data, seed=seed)[0] for one in grid])
    return ranked([joined(parts) for parts in zip(*results, strict=True)])[0].candidate


def _fitted(candidate: Candidate, learn: FeatureSet, seed: int) -> TrainedHead:
    """Fits on all rows of a fold; a network keeps some of them back to find when to stop."""
    valid = None
    if not isinstance(make_head(candidate.head, candidate.options), GridHead):
        learn, valid = _inner_folds(learn, seed)[0]
    return fit_on(TrainingData.of(learn, valid), candidate.head, options=candidate.options, seed=seed)


def _thresholds(candidate: Candidate, learn: FeatureSet, seed: int) -> tuple[float, ...]:
    """Chooses the threshold of each label on answers to folds of the rows to learn from."""
    answers, fold = out_of_fold(_inner_folds(learn, seed), lambda part: _fitted(candidate, part, seed))
    asked = np.flatnonzero(fold >= 0)
    return best_thresholds(learn.targets[asked], answers[asked])


def _inner_folds(learn: FeatureSet, seed: int) -> list[tuple[FeatureSet, FeatureSet]]:
    return split_folds(learn, max(min(INNER_FOLDS, most_folds(learn)), 2), seed=seed)


def _remarks(features: FeatureSet, images: np.ndarray, groups: np.ndarray) -> list[str]:
    notes = []
    unknown = int(np.isnan(features.targets[images]).any(axis=1).sum())
    if unknown:
        notes.append(
            f"of {counted(unknown, 'image')} not every {NOUNS[features.target]} is known; what is unknown "
            "of an image counts nowhere"
        )
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
