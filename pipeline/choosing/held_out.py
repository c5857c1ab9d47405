"""Answers of ridge regression to rows of a sample that it has not seen, one set for each penalty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads import Examples
from pipeline.heads._core.examples import select, select_known
from pipeline.heads._core.probabilities import logistic, softmax
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn.curves import fit_curves
from pipeline.heads._sklearn.target_linear import solve_ridges, unit_of
from pipeline.heads.ridge import Ridge
from pipeline.images.targets import CLASS, LABELS, described, known_rows, spans_of

FEWEST_NUMBERS = 3
"""Rows that must have a number; with fewer, a fit without one row says nothing."""

HeldOut = tuple[np.ndarray, np.ndarray]
"""What is known of n rows, as ``Examples.truth``, and the answers to them, float64 (n, k)."""


def held_out_answers(rows: FeatureSet, penalties: Sequence[float]) -> Iterator[HeldOut]:
    """Yields what ridge regression with each penalty answers for rows that it was fitted without.

    Args:
        rows: In memory; of what is known of them, classes, labels and numbers of too few rows are left out.
        penalties: As ``Ridge.alpha``.

    Raises:
        UsageError: Too few rows tell anything apart.
    """
    return (_of_classes if rows.target == CLASS else _of_targets)(rows, penalties)


def _of_classes(rows: FeatureSet, penalties: Sequence[float]) -> Iterator[HeldOut]:
    counts = np.bincount(rows.labels[rows.labels >= 0], minlength=len(rows.classes))
    usable = np.flatnonzero(counts >= 2)
    if len(usable) < 2:
        raise _too_few(rows, "fewer than two classes have two images")
    examples = select(rows, usable)
    for alpha in penalties:
        scores = Ridge(alpha=alpha).solve(examples).held_out
        yield examples.labels, softmax(fit_inverse_temperature(scores, examples.labels) * scores)


def _of_targets(rows: FeatureSet, penalties: Sequence[float]) -> Iterator[HeldOut]:
    examples = _telling(rows)
    for alpha in penalties:
        found = solve_ridges(examples, alpha * unit_of(examples))
        truth, answers = examples.targets[found.asked], found.held_out
        if rows.target == LABELS:
            slopes, offsets = fit_curves(answers, truth)
            answers = logistic(slopes * answers + offsets)
        yield truth, answers


def _telling(rows: FeatureSet) -> Examples:
    """Picks the targets that tell rows apart, and the rows of which one of them is known.

    Raises:
        UsageError: There is none.
    """
    known = select_known(rows)
    if rows.target == LABELS:
        usable = np.minimum((known.targets == 1).sum(axis=0), (known.targets == 0).sum(axis=0)) >= 2
        lack = "there is no label that two images have and two have not"
    else:
        spans = spans_of(known.targets)
        enough = (~np.isnan(known.targets)).sum(axis=0) >= FEWEST_NUMBERS
        usable = enough & (spans[:, 0] < spans[:, -1])
        lack = f"no number is known of {FEWEST_NUMBERS} images and differs between them"
    if not usable.any():
        raise _too_few(rows, lack)
    chosen = Examples(known.source, known.index, known.labels, known.targets[:, usable])
    return chosen if usable.all() else chosen.where(known_rows(chosen.targets))


def _too_few(rows: FeatureSet, lack: str) -> UsageError:
    what = "" if rows.target == CLASS else f", and these have {described(rows.target)}"
    return UsageError(
        f"{rows.path}: {lack} to choose by{what}: give more images, or train with `pipeline train-head`"
    )
