"""Sweeps: many heads on the same cached features, compared on validation rows and never on test."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.heads import (
    ClassBalance,
    GridHead,
    TrainedHead,
    TrainingData,
    fit_on,
    make_head,
    measured,
    notes_on_folds,
    run_folder,
    save_head,
    split_folds,
    with_familiarity,
    with_val_score,
)
from pipeline.heads._core.target_figures import IN_WORDS
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.notebook import facts_html, table_html
from pipeline.paths import expanded
from pipeline.progress import progress, say
from pipeline.runtimes.pandas import import_pandas
from pipeline.sweeps.candidates import Candidate, candidates, learning, parse_grid, preset
from pipeline.sweeps.executors import make_executor
from pipeline.sweeps.executors.local import LocalExecutor, LocalSession
from pipeline.sweeps.fitting import SweepData, sweep_data
from pipeline.sweeps.results import Result, ResultStore, joined, ranked
from pipeline.wording import counted

if TYPE_CHECKING:
    from pandas import DataFrame

    from pipeline.sweeps.executors import Executor, FitSession, Fitted

__all__ = [
    "Candidate",
    "Leaderboard",
    "Result",
    "candidates",
    "learning",
    "make_executor",
    "parse_grid",
    "preset",
    "sweep",
]


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

    @property
    def figure(self) -> str:
        """What the scores are, see :class:`Result`."""
        return self.results[0].figure

    @property
    def in_words(self) -> str:
        """What the scores are, and on which rows: ``accuracy on val``, for example."""
        return f"{IN_WORDS[self.figure]} on {self.chosen_on}"

    @property
    def lines(self) -> list[dict[str, object]]:
        """What leaderboard.csv says of each result, the best first."""
        return [result.line(rank) for rank, result in enumerate(self.results, 1)]

    def to_frame(self) -> DataFrame:
        """Returns the lines of leaderboard.csv as a table of pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        return import_pandas().DataFrame(self.lines)

    def _repr_html_(self) -> str:
        """Shows the leaderboard in a notebook."""
        shown = [
            (rank, one.candidate.label, f"{one.score:.4f}", one.between)
            if one.score is not None
            else ("-", one.candidate.label, "failed", one.problem)
            for rank, one in enumerate(self.results, 1)
        ]
        columns = ("", "head", IN_WORDS[self.figure], "95% interval")
        return facts_html(f"{self.winner.dataset}: {self.in_words}", {}) + table_html(columns, shown)


def sweep(
    wanted: Sequence[Candidate | str],
    train: FeatureSet,
    valid: FeatureSet | None,
    *,
    runs: str | os.PathLike[str] = "runs",
    folds: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    resume: bool = False,
    executor: Executor | None = None,
) -> Leaderboard:
    """Fits every candidate, ranks them by what they are worth on validation rows, and saves the best.

    That is accuracy; of several labels mean average precision, of numbers R2. Of equals the one with less
    log-loss, or mean absolute error, is better. With folds it is the mean of the folds, weighted by rows.

    The features are prepared once and shared by all workers of a machine. Every finished candidate is kept,
    whatever happens to the others.

    Example:
        >>> board = sweep(["logreg", "knn", Candidate("ridge")], train, val)
        >>> board.winner.folder

    Args:
        wanted: What to compare; a name is a head with the defaults of its options.
        train: Rows to learn from.
        valid: Rows to choose on; not needed with ``folds``.
        runs: Folder of trained heads; the leaderboard lands beside them.
        folds: Cross-validate on the training rows in so many folds instead.
        seed: Seed of every fit and of the folds.
        jobs: Fits at the same time; default: one per core.
        resume: Take up the finished results of an earlier sweep over the same rows.
        executor: Who fits; default: this process. See :func:`make_executor`.

    Returns:
        The leaderboard, and the best head, which is saved.

    Raises:
        UsageError: There are no folds, and no validation rows of which something is known.
        PipelineError: Every candidate failed.
    """
    chosen = [one if isinstance(one, Candidate) else Candidate(one) for one in wanted]
    runs = expanded(runs)
    pairs = [(train, _labelled(valid))] if folds is None else split_folds(train, folds, seed=seed)
    balance = ClassBalance.of(train, valid) if train.target == CLASS else None
    on_classes = balance.notes if balance else ()
    for note in [*([] if folds is None else notes_on_folds(train, pairs)), *on_classes]:
        say(f"note: {note}")
    folder = run_folder(runs, train.dataset, train.spec, "sweep")
    store = ResultStore(folder / "results", _identity(pairs, seed))
    results = store.start(resume=resume)
    results = {one.key: results[one.key] for one in chosen if one.key in results}
    missing = [one for one in chosen if one.key not in results]
    fitted: dict[str, TrainedHead | None] = {}  # of the best so far: without folds it needs no second fit
    fits = _fit_all(missing, pairs, seed=seed, jobs=jobs, executor=executor or LocalExecutor(), store=store)
    with progress("sweep", len(missing), "heads") as advance, closing(fits) as finished:
        for result, fetch in finished:
            results[result.key] = result
            if folds is None and ranked(list(results.values()))[0].key == result.key:
                fitted = {result.key: fetch()}
            advance(1)
    order = ranked(list(results.values()))
    best = order[0]
    if best.score is None:
        raise PipelineError(f"every candidate failed; the first: {best.candidate.label}: {best.problem}")
    if (trained := fitted.get(best.key)) is not None:
        trained = with_val_score(trained, best.score)
    else:
        trained = fit_on(TrainingData.of(train, valid), best.head, options=best.options, seed=seed)
        trained = measured(trained, valid)
    for note in balance.missed(trained.not_found or ()) if balance else ():
        say(f"note: {note}")
    if train.target == LABELS and not trained.thresholds:
        say("note: without a val split to choose thresholds on, each label is answered from 50 % on")
    winner = save_head(with_familiarity(trained, train, valid), runs=runs)
    chosen_on = "val" if folds is None else f"{counted(folds, 'fold')} of train"
    return Leaderboard(order, winner, folder, chosen_on)


def _labelled(valid: FeatureSet | None) -> FeatureSet:
    """Returns the val split.

    Raises:
        UsageError: There is none, or none of its rows has a label to choose by.
    """
    if valid is None:
        raise UsageError(
            "there is no val split to choose on: add --cv 5 to cross-validate on the training rows"
        )
    if not valid.known.any():
        known = "number" if valid.target == NUMBER else "label"
        raise UsageError(
            f"none of the {counted(len(valid), 'val row')} has a {known} to choose by: "
            "add --cv 5 to cross-validate on the training rows"
        )
    return valid


def _fit_all(
    missing: Sequence[Candidate],
    pairs: Sequence[tuple[FeatureSet, FeatureSet]],
    *,
    seed: int,
    jobs: int | None,
    executor: Executor,
    store: ResultStore,
) -> Generator[Fitted]:
    """Yields results as they are finished; with several folds, a candidate after its last fold.

    scikit-learn heads are fitted by the executor; Keras heads one after the other in this process, because
    each uses all cores and draws from a generator of the whole process.
    """
    parts: dict[str, list[Result]] = {one.key: [] for one in missing}
    beside = [one for one in missing if isinstance(make_head(one.head, one.options), GridHead)]
    alone = [one for one in missing if one not in beside]
    with ExitStack() as opened:
        session = opened.enter_context(executor.session(jobs)) if beside else None
        for train, valid in pairs if missing else []:
            data = sweep_data(train, valid, beside)
            here = opened.enter_context(LocalSession(1).share(data, seed=seed))
            with closing(_fit_beside(beside, data, session, seed=seed)) as fitted:
                for part, fetch in itertools.chain(fitted, map(here, alone)):
                    parts[part.key].append(part)
                    if len(parts[part.key]) == len(pairs):
                        result = joined(parts[part.key])
                        store.save(result)
                        yield result, fetch


def _fit_beside(
    candidates: Sequence[Candidate], data: SweepData, session: FitSession | None, *, seed: int
) -> Generator[Fitted]:
    """Yields candidates as they are finished; many are fitted at the same time."""
    from joblib import Parallel, delayed

    class QuietParallel(Parallel):
        def _warn_exit_early(self) -> None:
            """Fits that are given up are no surprise to whoever stopped them.

            A filter would not do: filters belong to all threads, and the fits that are running set some, too.
            """

    if session is None:
        return
    with session.share(data, seed=seed) as fit:
        workers = min(session.workers, len(candidates))
        pool = QuietParallel(n_jobs=workers, backend="threading", return_as="generator_unordered")
        yield from pool(delayed(fit)(one) for one in candidates)


def _identity(pairs: Sequence[tuple[FeatureSet, FeatureSet]], seed: int) -> str:
    """SHA-256 of the rows that are learnt from and chosen on, fold by fold, and of the seed."""
    folds = len(pairs) if len(pairs) > 1 else None  # spelt as always, so that older sweeps are gone on with
    train = pairs[0][0]
    kind = "" if train.target == CLASS else f" target={train.target}"
    whole = hashlib.sha256(f"{train.spec.digest} folds={folds} seed={seed}{kind}".encode())
    for part in itertools.chain.from_iterable(pairs):
        whole.update(part.crc32.tobytes() + part.rows.labels.tobytes() + part.targets.tobytes())
    return whole.hexdigest()
