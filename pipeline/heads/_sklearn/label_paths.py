"""Logistic regression of several labels, for one strength of the penalty or for a path of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.many_logistic import Problem, extrapolated, solve_all
from pipeline.heads._sklearn.rowspace import RowSpace, pays, row_space
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.target_answers import LinearTargets

CERTAIN = 1e3
"""Score of a label that all or no images have: its logistic function is 1 or 0 in every precision."""


class Solved(NamedTuple):
    """Labels learnt for one strength.

    Attributes:
        answering: What answers.
        converged: Whether all labels did so within the limit of iterations.
    """

    answering: LinearTargets
    converged: bool


def solve_labels(
    train: Examples, strengths: Sequence[float], *, tol: float, max_iter: int, class_weight: str | None
) -> list[Solved]:
    """Fits all labels for each of some strengths, each from where the two before it point to.

    Args:
        train: The training rows, with targets (n, k) that are 1, 0 or NaN.
        strengths: Inverse strengths C of the penalty, ascending.
        tol: Gradient at which a label ends.
        max_iter: Limit on the iterations.
        class_weight: ``balanced``: rows with a label count as much in sum as those without it.

    Returns:
        What was learnt, in the order of ``strengths``.
    """
    values = train.once(standardised).values
    known = ~np.isnan(train.targets)
    truth = np.where(known, train.targets, 0).astype(np.float32)
    positive, count = truth.sum(axis=0, dtype=np.float64), known.sum(axis=0)
    mixed = (positive > 0) & (positive < count)
    constant = np.where((positive > 0) & ~mixed, CERTAIN, -CERTAIN)
    own = _weights(truth[:, mixed], known[:, mixed], class_weight)
    smaller = pays(len(values), values.shape[1], len(strengths), max(int(mixed.sum()), 1))
    space = train.once(row_space) if smaller else RowSpace(values, values)
    found, passed = [], list[tuple[float, np.ndarray]]()
    for strength in strengths:
        penalty = (1 / (strength * count[mixed])).astype(np.float32)
        start = extrapolated(passed, math.log(strength))
        small = Problem(space.rows, truth[:, mixed], own, penalty)
        learnt, converged = solve_all(small, tol=tol, max_iter=max_iter, start=start)
        passed = [*passed[-1:], (math.log(strength), learnt)]
        if space.factor is not None:
            # After the row space this only makes sure: it stops at once where the gradient is below tol.
            whole = Problem(values, truth[:, mixed], own, penalty)
            wide = np.concatenate([space.to_columns(learnt[:-1].T).T, learnt[-1:]])
            learnt, converged = solve_all(whole, tol=tol, max_iter=max_iter, start=wide)
        coef, intercept = np.zeros((len(mixed), values.shape[1]), np.float32), constant.copy()
        coef[mixed], intercept[mixed] = learnt[:-1].T, learnt[-1]
        found.append(Solved(LinearTargets(coef, intercept, logistic_=True), converged))
    return found


def _weights(truth: np.ndarray, known: np.ndarray, class_weight: str | None) -> np.ndarray:
    """Returns what each row counts for each label, float32 (n, k), 1 in sum; 0 where it is not known."""
    if class_weight is None:
        return (known / known.sum(axis=0)).astype(np.float32)
    without = known - truth
    return (truth / truth.sum(axis=0) / 2 + without / without.sum(axis=0) / 2).astype(np.float32)
