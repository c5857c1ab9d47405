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
    Prepared,
    TrainedHead,
    classes_not_found,
    fit_prepared,
    make_head,
    prepare,
)
from pipeline.heads._examples import select
from pipeline.heads._table import scaled_by, standardised
from pipeline.sweep.candidates import Candidate
from pipeline.sweep.results import Result


@dataclass(frozen=True, eq=False)
class Ground:
    """The rows that all candidates of a sweep, or of one of its folds, are compared on.

    Attributes:
        prepared: What they learn from.
        judged: What they are measured on.
    """

    prepared: Prepared
    judged: Examples

    def forget(self) -> None:
        """Drops what was made of the rows; whoever needs it makes it again."""
        self.prepared.examples.forget()
        self.judged.forget()


def make_ground(train: FeatureSet, valid: FeatureSet, candidates: Sequence[Candidate]) -> Ground:
    """Makes rows ready, and makes once what several fits of the given candidates need."""
    ground = Ground(prepare(train, valid), select(valid, np.arange(len(valid.classes))))
    examples = ground.prepared.examples
    for name in dict.fromkeys(one.head for one in candidates):
        grid = [make_head(one.head, one.options) for one in candidates if one.head == name]
        with contextlib.suppress(PipelineError):  # each fit will say for itself why it cannot be made
            grid[0].prepare(examples, grid)
            ground.judged.once(scaled_by, examples.once(standardised).scaler)
    return ground


def fit_one(candidate: Candidate, ground: Ground, *, seed: int) -> tuple[Result, TrainedHead | None]:
    """Fits a candidate and measures it; one that fails is a result with a problem, and no head."""
    base = Result(candidate.key, candidate.head, dict(candidate.options))
    judged = ground.judged
    started = time.perf_counter()
    try:
        trained = fit_prepared(candidate.head, ground.prepared, options=candidate.options, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / trained.head.file
            trained.model.save(path)
            size = path.stat().st_size
        proba = trained.predict_examples(judged)
    except PipelineError as error:
        return replace(base, problem=str(error), seconds=time.perf_counter() - started), None
    guesses = proba.argmax(axis=1)
    score = float(np.mean(guesses == judged.labels))
    of_truth = proba[np.arange(len(judged)), judged.labels]
    result = replace(
        base,
        score=score,
        scores=(score,),
        log_loss=float(-np.log(np.maximum(of_truth, np.finfo(float).eps)).mean()),
        rows=len(judged),
        seconds=trained.seconds,
        bytes=size,
    )
    not_found = classes_not_found(trained.classes, judged.labels, guesses)
    return result, replace(trained, not_found=not_found)
