"""Heads of a sweep on one cut, each with what it answers on val."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.choosing.contender import Extracted
from pipeline.heads import TrainedHead
from pipeline.sweeps import Candidate, Result
from pipeline.sweeps.fitting import SweepData, by_head, fit_and_answer, prepare, sweep_data

LOOK_ROWS = 256
"""Rows of each split that heads are timed with before they are given all."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A head on a cut, or on several.

    Attributes:
        found: The features of the contender.
        positions: Which cuts they are.
        result: How it did; without a score where it failed.
        answers: float32 (n, k), what it answers for the val rows of which something is known; empty where it
            failed.
        trained: The head; None where it failed, or is to be trained yet.
    """

    found: Extracted
    positions: tuple[int, ...]
    result: Result
    answers: np.ndarray
    trained: TrainedHead | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """Sorts fits that did not fail, the best first."""
        return -(self.result.score or 0.0), self.result.loss or 0.0

    @property
    def layer(self) -> str:
        """The cut, or several with ``+`` between them."""
        return "+".join(self.found.cut(position) for position in self.positions)


def fit_heads(
    found: Extracted,
    position: int,
    candidates: Sequence[Candidate],
    *,
    seed: int,
    goes: Callable[[Candidate], bool] = lambda _: True,
) -> Iterator[Fit]:
    """Yields heads on one cut as they are fitted.

    Args:
        found: The features.
        position: The cut.
        candidates: The heads; those of one name are fitted together, in the order in which these come first.
        seed: Seed of every fit.
        goes: Asked before each fit whether it is to be made.

    Raises:
        UsageError: No train or val row has a label.
    """
    data = sweep_data(found.open(position, "train"), found.open(position, "val"), [])
    for result, trained, answers in _fitted(data, candidates, seed, goes):
        kept = np.empty((0, 0), np.float32) if answers is None else answers.astype(np.float32)
        yield Fit(found, (position,), result, kept, trained)


def look_at_heads(
    found: Extracted, position: int, candidates: Sequence[Candidate], *, seed: int
) -> Iterator[Result]:
    """Yields how heads do on some rows of one cut, taken from all over its splits: how long each takes.

    Raises:
        UsageError: No train or val row has a label.
    """
    train, valid = (_some(found.open(position, split)) for split in ("train", "val"))
    for result, _, _ in _fitted(sweep_data(train, valid, []), candidates, seed, lambda _: True):
        yield result


def _some(features: FeatureSet) -> FeatureSet:
    known = np.flatnonzero(features.known)
    places = np.linspace(0, len(known) - 1, min(LOOK_ROWS, len(known))).astype(int)
    return features.take(known[places])


def _fitted(
    data: SweepData, candidates: Sequence[Candidate], seed: int, goes: Callable[[Candidate], bool]
) -> Iterator[tuple[Result, TrainedHead | None, np.ndarray | None]]:
    for grid in by_head(candidates):
        shared_s: float | None = None
        for candidate in grid:
            if not goes(candidate):
                continue
            if shared_s is None:
                started = time.perf_counter()
                prepare(data, grid)
                shared_s = (time.perf_counter() - started) / len(grid)
            result, trained, answers = fit_and_answer(candidate, data, seed=seed)
            yield replace(result, seconds=result.seconds + shared_s), trained, answers
