"""Sweeps: many heads on the same cached features, compared on validation rows and never on test."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.heads import (
    Examples,
    Prepared,
    TrainedHead,
    fit_prepared,
    make_head,
    prepare,
    run_folder,
    save_head,
    train_head,
)
from pipeline.heads._examples import select
from pipeline.heads._table import scaled_by, standardised
from pipeline.progress import progress
from pipeline.sweep.candidates import Candidate, candidates, parse_grid, preset
from pipeline.sweep.folds import split_folds
from pipeline.sweep.results import Result, ResultStore, ranked

__all__ = ["Candidate", "Leaderboard", "Result", "candidates", "parse_grid", "preset", "sweep"]


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """The outcome of a sweep.

    Attributes:
        results: The best first.
        winner: The best candidate, fitted once more on all training rows and saved.
        folder: Where the leaderboard stands.
        chosen_on: What the scores were measured on.
    """

    results: list[Result]
    winner: TrainedHead
    folder: Path
    chosen_on: str


def sweep(
    wanted: Sequence[Candidate],
    train: FeatureSet,
    valid: FeatureSet | None,
    *,
    runs: Path,
    folds: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    resume: bool = False,
) -> Leaderboard:
    """Fits every candidate, ranks them by validation accuracy, and saves the best.

    The features are prepared once and shared by all workers. Every finished candidate is kept, whatever
    happens to the others.

    Args:
        wanted: What to compare.
        train: Rows to learn from.
        valid: Rows to choose on; not needed with ``folds``.
        runs: Folder of trained heads; the leaderboard lands beside them.
        folds: Cross-validate on the training rows in so many folds instead.
        seed: Seed of every fit and of the folds.
        jobs: Fits at the same time; default: one per core.
        resume: Take up the finished results of an earlier sweep over the same rows.

    Raises:
        UsageError: There are no validation rows and no folds.
        PipelineError: Every candidate failed.
    """
    if valid is None and folds is None:
        raise UsageError(
            "there is no val split to choose on: add --cv 5 to cross-validate on the training rows"
        )
    folder = run_folder(runs, train.dataset, train.spec, "sweep")
    store = ResultStore(folder / "results", _identity(train, valid, folds, seed))
    results = store.start(resume=resume)
    results = {one.key: results[one.key] for one in wanted if one.key in results}
    missing = [one for one in wanted if one.key not in results]
    pairs = [(train, valid)] if folds is None else split_folds(train, folds, seed=seed)
    workers = min(jobs or os.cpu_count() or 1, max(len(missing), 1))
    fitted: dict[str, TrainedHead] = {}  # of the best so far: without folds it needs no second fit
    with progress("sweep", len(missing), "heads") as advance:
        for result, trained in _fit_all(missing, pairs, seed=seed, workers=workers, store=store):
            results[result.key] = result
            if trained is not None and ranked(list(results.values()))[0].key == result.key:
                fitted = {result.key: trained}
            advance(1)
    order = ranked(list(results.values()))
    best = order[0]
    if best.score is None:
        raise PipelineError(f"every candidate failed; the first: {best.candidate.label}: {best.problem}")
    if folds is None and best.key in fitted:
        winner = save_head(replace(fitted[best.key], val_accuracy=best.score), runs=runs)
    else:
        winner = train_head(best.head, train, valid, options=best.options, seed=seed, runs=runs)
    chosen_on = "val" if folds is None else f"{folds} folds of train"
    return Leaderboard(order, winner, folder, chosen_on)


def _fit_all(
    missing: Sequence[Candidate],
    pairs: Sequence[tuple[FeatureSet, FeatureSet | None]],
    *,
    seed: int,
    workers: int,
    store: ResultStore,
) -> Iterator[tuple[Result, TrainedHead | None]]:
    """Yields results as they are finished; with several folds, a candidate after its last fold.

    scikit-learn heads are fitted in threads of this process, which share all they are given and spend their
    time in code that runs beside others; Keras heads one after the other, because each uses all cores and
    draws from a generator of the whole process.
    """
    from joblib import Parallel, delayed

    parts: dict[str, list[Result]] = {one.key: [] for one in missing}
    beside = [one for one in missing if hasattr(make_head(one.head, one.options), "prepare")]
    for train, valid in pairs if missing else []:
        prepared = prepare(train, valid)
        judged = select(valid, np.arange(len(valid.classes)))
        _make_shared(prepared, judged, beside)
        pool = Parallel(n_jobs=workers, backend="threading", return_as="generator_unordered")
        fitted = pool(delayed(_fit_one)(one, prepared, judged, seed) for one in beside)
        alone = (_fit_one(one, prepared, judged, seed) for one in missing if one not in beside)
        try:
            for part, trained in itertools.chain(fitted, alone):
                parts[part.key].append(part)
                if len(parts[part.key]) == len(pairs):
                    result = _joined(parts[part.key])
                    store.save(result)
                    yield result, trained
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # joblib's, that fits are given up: whoever stopped them knows
                fitted.close()


def _make_shared(prepared: Prepared, judged: Examples, candidates: Sequence[Candidate]) -> None:
    """Makes once what several fits need."""
    for name in dict.fromkeys(one.head for one in candidates):
        grid = [make_head(one.head, one.options) for one in candidates if one.head == name]
        with contextlib.suppress(PipelineError):  # each fit will say for itself why it cannot be made
            grid[0].prepare(prepared.examples, grid)
            judged.once(scaled_by, prepared.examples.once(standardised).scaler)


def _fit_one(
    candidate: Candidate, prepared: Prepared, judged: Examples, seed: int
) -> tuple[Result, TrainedHead | None]:
    base = Result(candidate.key, candidate.head, dict(candidate.options))
    started = time.perf_counter()
    try:
        trained = fit_prepared(candidate.head, prepared, options=candidate.options, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / trained.head.file
            trained.model.save(path)
            size = path.stat().st_size
        proba = trained.predict_examples(judged)
    except PipelineError as error:
        return replace(base, problem=str(error), seconds=time.perf_counter() - started), None
    score = float(np.mean(proba.argmax(axis=1) == judged.labels))
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
    return result, trained


def _joined(parts: Sequence[Result]) -> Result:
    """Makes one result of those of all folds."""
    first = parts[0]
    problem = next((part.problem for part in parts if part.problem), "")
    seconds = sum(part.seconds for part in parts)
    if problem:
        return Result(first.key, first.head, first.options, problem=problem, seconds=seconds)
    rows = np.array([part.rows for part in parts])
    scores = tuple(part.scores[0] for part in parts)
    return Result(
        first.key,
        first.head,
        first.options,
        score=float(np.average(scores, weights=rows)),
        scores=scores,
        log_loss=float(np.average([part.log_loss for part in parts], weights=rows)),
        rows=int(rows.sum()),
        seconds=seconds,
        bytes=max(part.bytes for part in parts),
    )


def _identity(train: FeatureSet, valid: FeatureSet | None, folds: int | None, seed: int) -> str:
    """SHA-256 of the rows that are learnt from and chosen on, and of how."""
    whole = hashlib.sha256(f"{train.spec.digest} folds={folds} seed={seed}".encode())
    for part in (train, valid) if valid is not None else (train,):
        whole.update(part.crc32.tobytes() + part.labels.tobytes())
    return whole.hexdigest()
