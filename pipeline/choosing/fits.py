"""Heads of a sweep on one cut, each with what it answers on val."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.choosing.contender import Extracted
from pipeline.heads import TrainedHead
from pipeline.sweeps import Candidate, Result
from pipeline.sweeps.fitting import by_head, fit_and_answer, prepare, sweep_data

CHEAP = ("prototype", "ridge", "knn")
"""Heads that are fitted in closed form, or not at all."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A head on a cut, or on several.

    Attributes:
        found: The features of the contender.
        positions: Which cuts they are.
        result: How it did; without a score where it failed.
        answers: float32 (n, k), its probabilities of the labelled val rows; empty where it failed.
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
        return -(self.result.score or 0.0), self.result.log_loss or 0.0

    @property
    def layer(self) -> str:
        """The cut, or several with ``+`` between them."""
        return "+".join(self.found.cut(position) for position in self.positions)


def fit_heads(
    found: Extracted, position: int, candidates: Sequence[Candidate], *, seed: int
) -> Iterator[Fit]:
    """Yields heads on one cut as they are fitted, those first that take no time; so there soon is one.

    Raises:
        UsageError: No train or val row has a label.
    """
    data = sweep_data(found.open(position, "train"), found.open(position, "val"), [])
    for grid in by_head(sorted(candidates, key=lambda one: one.head not in CHEAP)):
        started = time.perf_counter()
        prepare(data, grid)
        shared_s = (time.perf_counter() - started) / len(grid)
        for candidate in grid:
            result, trained, answers = fit_and_answer(candidate, data, seed=seed)
            result = replace(result, seconds=result.seconds + shared_s)
            kept = np.empty((0, 0), np.float32) if answers is None else answers.astype(np.float32)
            yield Fit(found, (position,), result, kept, trained)
