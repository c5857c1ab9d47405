"""One fit of a sweep: a head learns, is saved, and answers for the rows that it is judged by."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError
from pipeline.heads import (
    Examples,
    GridHead,
    TrainedHead,
    TrainingData,
    classes_not_found,
    fit_on,
    make_head,
)
from pipeline.heads._core.examples import select
from pipeline.heads._sklearn.table import column_moments, scaled_by
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.results import Result


@dataclass(frozen=True, eq=False)
class SweepData:
    """The rows that all candidates of a sweep, or of one of its folds, are compared on.

    Attributes:
        prepared: What they learn from.
        scored: What they are measured on.
    """

    prepared: TrainingData
    scored: Examples

    def forget(self) -> None:
        """Drops what was made of the rows; whoever needs it makes it again."""
        self.prepared.examples.forget()
        self.scored.forget()


def sweep_data(train: FeatureSet, valid: FeatureSet, candidates: Sequence[Candidate]) -> SweepData:
    """Makes rows ready, and makes once what several fits of the given candidates need."""
    data = SweepData(TrainingData.of(train, valid), select(valid, np.arange(len(valid.classes))))
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
    grid = [make_head(one.head, one.options) for one in candidates]
    first = grid[0]
    if isinstance(first, GridHead):
        with contextlib.suppress(PipelineError):  # each fit will say for itself why it cannot be made
            first.prepare(examples, grid)
            data.scored.once(scaled_by, examples.once(column_moments).scaler)


def fit_one(candidate: Candidate, data: SweepData, *, seed: int) -> tuple[Result, TrainedHead | None]:
    """Fits a candidate and measures it; one that fails is a result with a problem, and no head."""
    result, trained, _ = fit_and_answer(candidate, data, seed=seed)
    return result, trained


def fit_and_answer(
    candidate: Candidate, data: SweepData, *, seed: int
) -> tuple[Result, TrainedHead | None, np.ndarray | None]:
    """Fits a candidate, and returns its probabilities of the scored rows, float64 (n, k), as well."""
    base = Result(candidate.key, candidate.head, dict(candidate.options))
    scored = data.scored
    started = time.perf_counter()
    try:
        trained = fit_on(data.prepared, candidate.head, options=candidate.options, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / trained.head.file
            trained.model.save(path)
            size = path.stat().st_size
        proba = trained.predict_examples(scored)
    except PipelineError as error:
        return replace(base, problem=str(error), seconds=time.perf_counter() - started), None, None
    guesses = proba.argmax(axis=1)
    score = float(np.mean(guesses == scored.labels))
    of_truth = proba[np.arange(len(scored)), scored.labels]
    result = replace(
        base,
        score=score,
        scores=(score,),
        log_loss=float(-np.log(np.maximum(of_truth, np.finfo(float).eps)).mean()),
        rows=len(scored),
        seconds=trained.seconds,
        bytes=size,
    )
    not_found = classes_not_found(trained.classes, scored.labels, guesses)
    return result, replace(trained, not_found=not_found), proba
