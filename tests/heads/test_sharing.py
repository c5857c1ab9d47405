"""Many fits share the rows in memory, whose size is estimated before they are read."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError
from pipeline.heads import Task, fit_head, make_head
from pipeline.heads._core.examples import select
from pipeline.heads._sklearn import sklearn_head
from pipeline.heads._sklearn.sklearn_head import SklearnHead
from pipeline.heads._sklearn.table import standardised
from pipeline.heads._sklearn.threads import worker_threads

IN_MEMORY = [
    name
    for name in registry.names(pipeline.heads)
    if isinstance(make_head(name, {}), SklearnHead) and name != "sgd"
]


@pytest.mark.parametrize("name", IN_MEMORY)
def test_too_many_rows_are_refused_before_reading(
    name: str, train: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sklearn_head, "available_bytes", lambda: 2000)
    monkeypatch.setattr(FeatureSet, "read", lambda *_: pytest.fail("rows were read"))

    message = (
        rf"'{name}' .* 60 rows of 32 features .* about 0.0 GB, 0.0 GB are available. "
        r"Use `--head sgd` .*`--head dense`.*`pipeline extract --pooling avg`"
    )
    with pytest.raises(PipelineError, match=message):
        fit_head(name, train)
    with pytest.raises(PipelineError, match=message):
        make_head(name, {}).prepare(select(train, np.arange(3)), [make_head(name, {})])


@pytest.mark.parametrize("name", IN_MEMORY)
def test_estimates_grow_with_the_rows(name: str) -> None:
    head = make_head(name, {})

    assert head.extra_bytes(100_000, 8192) >= head.extra_bytes(1000, 8192) > 0


def test_rows_in_memory_already_are_not_counted_again(
    train: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = select(train, np.arange(3))
    examples.once(standardised)
    head = make_head("prototype", {})
    monkeypatch.setattr(sklearn_head, "available_bytes", lambda: head.extra_bytes(60, 32))

    head.fit(Task(train.spec, train.feature_shape, 3), examples, None, seed=0)


@pytest.mark.parametrize("name", IN_MEMORY)
def test_shared_rows_are_never_written_into(name: str, train: FeatureSet) -> None:
    # Workers of a sweep are given them as a read-only memory map, together with what was prepared.
    examples = select(train, np.arange(3))
    head = make_head(name, {"learning_rate": 0.01} if name == "mlp" else {})
    head.prepare(examples, [head])
    for made in examples._made.values():
        if hasattr(made, "values") and isinstance(made.values, np.ndarray):
            made.values.flags.writeable = False

    model = head.fit(Task(train.spec, train.feature_shape, 3), examples, None, seed=0)[0]

    assert np.mean(model.predict_proba(train.features).argmax(axis=1) == train.labels) >= 0.9


@pytest.mark.parametrize(
    ("name", "large"),
    # Of 60 rows of 32 columns, the scatter that ridge works on is the larger.
    [("linear-svm", True), ("svm-rbf", True), ("ridge", True), ("logreg", False), ("knn", False)],
)
def test_a_head_that_takes_far_more_than_its_features_says_so_first(
    name: str,
    large: bool,
    train: FeatureSet,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sklearn_head, "LARGE_BYTES", 100)
    monkeypatch.setattr(FeatureSet, "read", lambda *_: pytest.fail("rows are read"))

    with pytest.raises(pytest.fail.Exception, match="rows are read"):
        fit_head(name, train)

    note = rf"note: head '{name}' takes about 0.0 GB of memory for 60 rows of 32 .*, \d+\.\d times their size"
    assert bool(re.search(note, capsys.readouterr().err)) == large


def test_prepared_rows_travel_to_other_processes(train: FeatureSet) -> None:
    examples = select(train, np.arange(3))
    grid = [make_head("logreg", {"C": C}) for C in (0.01, 1)]
    grid[0].prepare(examples, grid)

    there = pickle.loads(pickle.dumps(examples))  # noqa: S301

    task = Task(train.spec, train.feature_shape, 3)
    here_and_there = [grid[1].fit(task, rows, None, seed=0)[0] for rows in (examples, there)]
    first, second = (model.predict_proba(train.features) for model in here_and_there)
    assert there.has(standardised)
    assert np.array_equal(first, second)


def test_many_fits_read_and_scale_once(train: FeatureSet, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = select(train, np.arange(3))
    task = Task(train.spec, train.feature_shape, 3)
    reads = []
    read = FeatureSet.read
    monkeypatch.setattr(FeatureSet, "read", lambda self, index: reads.extend(index) or read(self, index))

    models = [make_head(name, {}).fit(task, examples, None, seed=0)[0] for name in ("logreg", "ridge")]
    asked = select(train, np.arange(3))
    answers = [model.predict_examples(asked) for model in models]

    assert len(reads) == 120
    table = examples.once(standardised).values
    assert table.mean(axis=0) == pytest.approx(np.zeros(32), abs=1e-4)
    for model, answer in zip(models, answers, strict=True):
        assert answer == pytest.approx(model.predict_proba(train.features), abs=1e-6)


@pytest.mark.parametrize(("share", "expected"), [(None, -1), ("3", 3), ("0", -1), ("x", -1)])
def test_threads_are_those_of_a_worker(
    share: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if share is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", share)

    assert worker_threads() == expected
