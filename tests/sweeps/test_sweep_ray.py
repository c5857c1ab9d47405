"""Sweeps on a real Ray cluster of two cores: the same figures as in one process, whatever dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from ray_processes import fitting
from threadpoolctl import threadpool_limits

import pipeline
from pipeline import heads, registry
from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError
from pipeline.heads import make_head, split_folds
from pipeline.heads._sklearn.table import standardised
from pipeline.sweeps import Leaderboard, Result, candidates, make_executor, sweep
from pipeline.sweeps.executors.local import LocalSession
from pipeline.sweeps.fitting import SweepData, sweep_data
from pipeline.sweeps.results import ResultStore

FITTED_BY_RAY = [name for name in registry.names(heads) if hasattr(make_head(name, {}), "prepare")]
GONE_WITHIN_S = 20.0
LONG = ("sgd", {"epochs": ["3000", "3001"]})
RAY = make_executor("ray")

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def mapped(tmp_path: Path) -> Callable[[FeatureSet], FeatureSet]:
    """Puts features into a file and maps them, as those of a cache are."""

    def map_(features: FeatureSet) -> FeatureSet:
        path = tmp_path / f"{features.split}.bin"
        features.features.tofile(path)
        values = np.memmap(path, features.features.dtype, "r", shape=features.features.shape)
        return replace(features, features=values)

    return map_


def measured(results: Sequence[Result]) -> list[Result]:
    """Returns results in a fixed order and without their times."""
    return sorted((replace(one, seconds=0.0) for one in results), key=lambda one: one.key)


@pytest.mark.parametrize("name", FITTED_BY_RAY)
def test_every_head_gives_the_same_bits_on_as_many_threads(
    name: str, train: FeatureSet, valid: FeatureSet, mapped: Callable[[FeatureSet], FeatureSet]
) -> None:
    wanted = candidates([(name, {})])
    data = sweep_data(mapped(train), mapped(valid), wanted)
    with LocalSession(1).share(data, seed=3) as fit, threadpool_limits(1):
        here, fetch = fit(wanted[0])
        head = fetch()
    with RAY.session(None) as session, session.share(data, seed=3) as fit:
        there, fetch = fit(wanted[0])
        brought = fetch()
    assert here.score is not None
    assert measured([there]) == measured([here])
    np.testing.assert_array_equal(brought.predict_proba(valid), head.predict_proba(valid))


def test_a_sweep_has_the_same_winner_and_figures(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = candidates(
        [("logreg", {"C": ["1e-3", "1e-1"]}), ("knn", {}), ("gap-softmax", {"epochs": ["1"]}), ("lda", {})]
    )
    here = sweep(wanted, train, valid, runs=tmp_path / "here")
    there = sweep(wanted, train, valid, runs=tmp_path / "there", executor=RAY)
    assert "ray: 2 fits at a time, each with 1 core" in capsys.readouterr().err
    same_figures(there, here)
    assert there.winner.name == here.winner.name
    np.testing.assert_allclose(there.winner.predict_proba(valid), here.winner.predict_proba(valid), rtol=1e-5)


@pytest.mark.parametrize("kind", ["labels", "number"])
def test_labels_and_numbers_have_the_same_winner_and_figures(
    kind: str, make_targets: Callable[..., FeatureSet], tmp_path: Path
) -> None:
    train, valid = make_targets(kind), make_targets(kind, "val")
    wanted = candidates([("ridge", {}), ("knn", {"k": ["1", "9"]})])
    here = sweep(wanted, train, valid, runs=tmp_path / "here")
    there = sweep(wanted, train, valid, runs=tmp_path / "there", executor=RAY)
    same_figures(there, here)
    assert [one.interval for one in there.results] == [pytest.approx(one.interval) for one in here.results]
    assert there.winner.val_figure == pytest.approx(here.winner.val_figure)
    assert there.winner.thresholds == pytest.approx(here.winner.thresholds)
    folds = sweep(wanted, train, None, runs=tmp_path / "folds", folds=2, executor=RAY)
    assert folds.figure == here.figure


def test_folds_are_measured_the_same(train: FeatureSet, tmp_path: Path) -> None:
    wanted = candidates([("ridge", {}), ("knn", {"k": ["1", "3"]}), ("sgd", {"epochs": ["2"]})])
    here = sweep(wanted, train, None, runs=tmp_path / "here", folds=3)
    there = sweep(wanted, train, None, runs=tmp_path / "there", folds=3, executor=RAY, jobs=1)
    same_figures(there, here)
    assert all(len(one.scores) == 3 for one in there.results)


def same_figures(one: Leaderboard, other: Leaderboard) -> None:
    """Asserts equal scores; the losses may differ by the rounding of sums that threads share out."""
    for mine, theirs in zip(measured(one.results), measured(other.results), strict=True):
        assert (mine.key, mine.scores, mine.rows) == (theirs.key, theirs.scores, theirs.rows)
        assert mine.log_loss == pytest.approx(theirs.log_loss, rel=1e-5)


def test_rows_are_mapped_from_shared_memory_once(
    train: FeatureSet, mapped: Callable[[FeatureSet], FeatureSet], cluster: ModuleType
) -> None:
    wanted = candidates([("svm-rbf", {})])
    learnt, chosen = split_folds(mapped(train), 2, seed=0)[0]
    data = sweep_data(learnt, chosen, wanted)
    table = data.prepared.examples.once(standardised).values.copy()
    with RAY.session(None) as session:
        travelled = cluster.get(session._put(data))
        assert travelled.prepared.train.features is travelled.scored.source.features
        values = travelled.prepared.examples.once(standardised).values
        for array in (values, travelled.prepared.train.features):
            assert type(array) is np.ndarray
            assert not array.flags.writeable
            assert not array.flags.owndata
        np.testing.assert_array_equal(values, table)
        with session.share(data, seed=0):
            assert not data.prepared.examples.has(standardised)


def test_a_feature_that_is_no_number_is_told_as_without_ray(
    make_features: Callable[..., FeatureSet], train: FeatureSet, valid: FeatureSet, tmp_path: Path
) -> None:
    features = train.features.copy()
    features[7] = np.nan
    spoiled = make_features(features, train.labels)
    wanted = candidates([("prototype", {}), ("sgd", {})])
    told = []
    for name in ("local", "ray"):
        with pytest.raises(PipelineError, match=r"every candidate failed; the first: .*NaN") as raised:
            sweep(wanted, spoiled, valid, runs=tmp_path / name, executor=make_executor(name))
        told.append(str(raised.value).partition("NaN")[2])
    assert told[0] == told[1]


def test_another_version_is_refused(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "__version__", "0.0.1")
    with pytest.raises(PipelineError, match=r"and the sweep 0\.0\.1: install the same one everywhere"):
        sweep(candidates([("prototype", {})]), train, valid, runs=tmp_path, executor=RAY)


def test_a_full_object_store_is_told(
    train: FeatureSet,
    valid: FeatureSet,
    tmp_path: Path,
    cluster: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: SweepData) -> None:
        raise cluster.exceptions.ObjectStoreFullError

    monkeypatch.setattr(cluster, "put", refuse)
    with pytest.raises(PipelineError, match=r"do not fit into the shared memory of Ray .* --executor local"):
        sweep(candidates([("prototype", {})]), train, valid, runs=tmp_path, executor=RAY)


def test_a_sweep_that_ends_early_leaves_no_fit_behind(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        while not fitting():
            time.sleep(0.02)
        raise PipelineError("the disk is full")

    monkeypatch.setattr(ResultStore, "save", refuse)
    wanted = candidates([("prototype", {}), ("sgd", {"epochs": ["1000000000"]})])
    with pytest.raises(PipelineError, match="the disk is full"):
        sweep(wanted, train, valid, runs=tmp_path, executor=RAY)
    deadline = time.monotonic() + GONE_WITHIN_S
    while fitting() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not fitting()


def test_a_killed_process_costs_one_try_of_one_candidate(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path
) -> None:
    wanted = candidates([("prototype", {}), ("knn", {}), LONG])
    tries = 3
    with killing(tries + 1, when=lambda: len(list(tmp_path.rglob("results/*.json"))) >= 2):
        board = sweep(wanted, train, valid, runs=tmp_path, executor=RAY, jobs=1)
    assert {one.head for one in board.results if one.score is not None} == {"prototype", "knn", "sgd"}
    (lost,) = (one for one in board.results if one.problem)
    assert lost.problem.startswith("the process that fitted it died (")
    assert lost.problem.endswith(f"; {tries} tries)")


@contextmanager
def killing(count: int, *, when: Callable[[], bool]) -> Iterator[None]:
    """Kills processes that fit for this cluster, one after the other, once a condition holds."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while len(killed) < count and not over.wait(0.02):
            for pid in fitting() if when() else []:
                if pid not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                    break

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert len(killed) == count
