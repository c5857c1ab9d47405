"""One fit of a sweep: a head learns, is saved, and answers for the rows that it is judged by."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError
from pipeline.heads import (
    Examples,
    GridHead,
    TrainedHead,
    TrainingData,
    fit_on,
    judged,
    make_head,
)
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.target_figures import FIGURES, LOSSES, loss, score
from pipeline.heads._core.targets import file_of
from pipeline.heads._sklearn.table import column_moments, scaled_by
from pipeline.images.targets import CLASS
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.results import Result
from pipeline.sweeps.score_interval import drawn_interval


@dataclass(frozen=True, eq=False)
class SweepData:
    """The rows that all candidates of a sweep, or of one of its folds, are compared on.

    Attributes:
        prepared: What they learn from.
        scored: What they are measured on.
    """

    prepared: TrainingData
    scored: Examples

    @property
    def target(self) -> str:
        """What is known of the rows, see ``pipeline.images.targets``."""
        return self.prepared.task.target

    def forget(self) -> None:
        """Drops what was made of the rows; whoever needs it makes it again."""
        self.prepared.examples.forget()
        self.scored.forget()


def sweep_data(train: FeatureSet, valid: FeatureSet, candidates: Sequence[Candidate]) -> SweepData:
    """Makes rows ready, and makes once what several fits of the given candidates need."""
    data = SweepData(TrainingData.of(train, valid), select_all(valid))
    for grid in by_head(candidates):
        prepare(data, grid)
    return data


def by_head(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Returns the candidates of each head by themselves, heads in the order in which they come first."""
    names = dict.fromkeys(one.head for one in candidates)
    return [[one for one in candidates if one.head == name] for name in names]


def prepare(data: SweepData, candidates: Sequence[Candidate]) -> None:
    """Makes once what several fits of one head need."""
    examples = data.prepared.examples
    if data.target != CLASS:  # what a head prepares is for classes
        with contextlib.suppress(PipelineError):
            examples.once(column_moments)
        return
    grid = [make_head(one.head, one.options) for one in candidates]
    first = grid[0]
    if isinstance(first, GridHead):
        with contextlib.suppress(PipelineError):  # each fit will say for itself why it cannot be made
            first.prepare(examples, grid)
            data.scored.once(scaled_by, examples.once(column_moments).scaler)


def unmeasured(candidate: Candidate, target: str) -> Result:
    """Returns the result of a candidate of which nothing is known yet."""
    return Result(candidate.key, candidate.head, dict(candidate.options), figure=FIGURES[target])


def fit_one(candidate: Candidate, data: SweepData, *, seed: int) -> tuple[Result, TrainedHead | None]:
    """Fits a candidate and measures it, with an interval; one that fails is a problem, and no head."""
    result, trained, answers = fit_and_answer(candidate, data, seed=seed)
    return with_interval(result, data, answers), trained


def with_interval(result: Result, data: SweepData, answers: np.ndarray | None) -> Result:
    """Adds the interval of the score of labels or numbers, whose bootstrap takes a while.

    Args:
        result: What :func:`fit_and_answer` returned.
        data: What the candidate was fitted and measured on.
        answers: Its answers; None where it failed.
    """
    ends = None if answers is None else drawn_interval(data.target, data.scored, answers)
    return replace(result, ends=ends)


def fit_and_answer(
    candidate: Candidate, data: SweepData, *, seed: int
) -> tuple[Result, TrainedHead | None, np.ndarray | None]:
    """Fits a candidate, and returns its answers to the scored rows as well.

    Returns:
        The result, without the interval of :func:`with_interval`; the head, with what it is worth on these
        rows as ``measured`` adds it; and its answers, float64 (n, k), probabilities of the classes or labels,
        or numbers. The last two are None where the fit failed.
    """
    base = unmeasured(candidate, data.target)
    scored = data.scored
    started = time.perf_counter()
    try:
        trained = fit_on(data.prepared, candidate.head, options=candidate.options, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file_of(trained.head, data.target)
            trained.model.save(path)
            size = path.stat().st_size
        answers = trained.answer(scored)
    except PipelineError as error:
        return replace(base, problem=str(error), seconds=time.perf_counter() - started), None, None
    losses: dict[str, Any] = {LOSSES[data.target]: loss(data.target, scored.truth, answers)}
    value = score(data.target, scored.truth, answers)
    result = replace(
        base,
        score=value,
        scores=(value,),
        **losses,
        rows=len(scored),
        seconds=trained.seconds,
        bytes=size,
    )
    return result, judged(trained, scored, answers), answers
