"""Sweeps: many heads on the same cached features, compared on validation rows and never on test."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation import measure
from pipeline.heads import Prepared, TrainedHead, fit_prepared, make_head, prepare, run_folder, train_head
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

    The features are prepared once and shared by all workers as one memory map. Every finished candidate is
    kept, whatever happens to the others.

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
    with progress("sweep", len(missing), "heads") as advance:
        for result in _fit_all(missing, pairs, seed=seed, workers=workers, store=store):
            results[result.key] = result
            advance(1)
    order = ranked(list(results.values()))
    best = order[0]
    if best.score is None:
        raise PipelineError(f"every candidate failed; the first: {best.candidate.label}: {best.problem}")
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
) -> Iterator[Result]:
    """Yields results as they are finished; with several folds, a candidate after its last fold."""
    from joblib import Parallel, delayed

    parts: dict[str, list[Result]] = {one.key: [] for one in missing}
    for train, valid in pairs if missing else []:
        prepared = prepare(train, valid)
        _make_shared(prepared, missing)
        pool = Parallel(n_jobs=workers, return_as="generator_unordered", max_nbytes="1M")
        for part in pool(delayed(_fit_one)(one, prepared, seed) for one in missing):
            parts[part.key].append(part)
            if len(parts[part.key]) == len(pairs):
                result = _joined(parts[part.key])
                store.save(result)
                yield result


def _make_shared(prepared: Prepared, missing: Sequence[Candidate]) -> None:
    """Makes in this process what the fits of one head share, so that all workers map one copy of it."""
    for name in dict.fromkeys(one.head for one in missing):
        grid = [make_head(one.head, one.options) for one in missing if one.head == name]
        if hasattr(grid[0], "prepare"):
            with contextlib.suppress(PipelineError):  # each fit will say for itself why it cannot be made
                grid[0].prepare(prepared.examples, grid)


def _fit_one(candidate: Candidate, prepared: Prepared, seed: int) -> Result:
    base = Result(candidate.key, candidate.head, dict(candidate.options))
    started = time.perf_counter()
    try:
        trained = fit_prepared(candidate.head, prepared, options=candidate.options, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / trained.head.file
            trained.model.save(path)
            size = path.stat().st_size
        figures = measure(prepared.valid.labels, trained.predict_proba(prepared.valid), trained.classes)
    except PipelineError as error:
        return Result(**vars(base) | {"problem": str(error), "seconds": time.perf_counter() - started})
    return Result(
        **vars(base)
        | {
            "score": figures.accuracy,
            "scores": (figures.accuracy,),
            "log_loss": figures.log_loss,
            "rows": figures.n,
            "seconds": trained.seconds,
            "bytes": size,
        }
    )


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
