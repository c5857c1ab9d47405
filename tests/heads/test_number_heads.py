"""Numbers by machines of scikit-learn: any unit, some of them unknown, and files that nobody has to trust."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVR

from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.heads import fit_head, load_head, make_head, train_head
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.targets import heads_for
from pipeline.heads._sklearn.number_head import NumberHead
from pipeline.images.targets import LABELS, NUMBER

HEADS = [name for name in registry.names("pipeline.heads") if isinstance(make_head(name, {}), NumberHead)]
OPTIONS: dict[str, dict[str, object]] = {
    "hist-gradient-boosting": {"rounds": 20},
    "linear-svm": {"C": 0.1},
    "random-forest": {"trees": 20},
}
MakeTargets = Callable[..., FeatureSet]


@pytest.fixture
def make_numbers(make_features: Callable[..., FeatureSet]) -> Callable[..., FeatureSet]:
    """Builds rows of which two numbers are known, one of them in thousands."""

    def make(rows: int = 60, columns: int = 6) -> FeatureSet:
        features = np.random.default_rng(columns).normal(size=(rows, columns)).astype(np.float16)
        first, second = features[:, :2].T.astype(np.float64)
        made = make_features(features, np.full(rows, -1))
        return with_targets(made, np.stack([3 * first + 5, 1000 * second], axis=1))

    return make


@pytest.fixture
def numbers(make_numbers: Callable[..., FeatureSet]) -> FeatureSet:
    return make_numbers()


def with_targets(features: FeatureSet, targets: np.ndarray) -> FeatureSet:
    """Returns the same rows with other numbers."""
    names = tuple(f"number {column}" for column in range(targets.shape[1]))
    rows = dataclasses.replace(features.rows, targets=targets.astype(np.float32))
    return dataclasses.replace(features, rows=rows, classes=names, target=NUMBER)


@pytest.mark.parametrize("name", HEADS)
def test_options_mean_the_same_in_any_unit(name: str, numbers: FeatureSet) -> None:
    options = OPTIONS.get(name, {})
    answers = fit_head(name, numbers, options=options).predict_targets(numbers)
    other = with_targets(numbers, 1024 * numbers.targets)
    again = fit_head(name, other, options=options).predict_targets(other)
    spread = numbers.targets.std(axis=0)
    assert (np.abs(again / 1024 - answers) < 0.02 * spread).all()


@pytest.mark.parametrize("name", HEADS)
def test_a_number_that_is_known_of_some_rows_is_learnt_from_these(name: str, numbers: FeatureSet) -> None:
    targets = numbers.targets.copy()
    targets[:25, 0] = 1e9
    masked = targets.copy()
    masked[:25, 0] = np.nan
    options = OPTIONS.get(name, {})
    answers = fit_head(name, with_targets(numbers, masked), options=options).predict_targets(numbers)
    rest = np.corrcoef(answers[25:, 0], numbers.targets[25:, 0])[0, 1]
    assert rest > 0.8
    assert np.abs(answers).max(axis=0)[0] < 100


@pytest.mark.parametrize("name", HEADS)
def test_numbers_of_which_nothing_is_to_be_learnt(name: str, numbers: FeatureSet, tmp_path: Path) -> None:
    targets = np.column_stack([numbers.targets[:, 0], np.full(60, 7.5), np.full(60, np.nan)])
    train = with_targets(numbers, targets)
    trained = train_head(name, train, None, options=OPTIONS.get(name, {}), runs=tmp_path)
    answers = load_head(trained.folder).predict_targets(train)
    assert answers[:, 1] == pytest.approx(np.full(60, 7.5))
    assert np.array_equal(answers[:, 2], np.zeros(60))
    assert trained.class_counts == (60, 60, 0)


@pytest.mark.parametrize("columns", [12, 200])
@pytest.mark.parametrize("name", ["linear-svm", "svm-rbf", "random-forest"])
def test_answers_are_those_of_scikit_learn(
    name: str, columns: int, make_numbers: Callable[..., FeatureSet]
) -> None:
    train = make_numbers(50, columns)
    table = StandardScaler().fit_transform(train.to_memory().astype(np.float32))
    tight = {"tol": 1e-6, "C": 0.01}
    options = {"trees": 5} if name == "random-forest" else tight
    answers = fit_head(name, train, options=options, seed=3).predict_targets(train)
    wanted = StandardScaler().fit_transform(train.targets.astype(np.float64))
    machine = {
        "linear-svm": LinearSVR(
            C=0.01, tol=1e-6, epsilon=0.1, loss="squared_epsilon_insensitive", dual=False, max_iter=10_000
        ),
        "svm-rbf": SVR(C=0.01, tol=1e-6, gamma=0.3 / columns),
        "random-forest": RandomForestRegressor(5, max_features="sqrt", random_state=3),
    }[name]
    for number in range(2):
        expected = machine.fit(table, wanted[:, number]).predict(table)
        mean, spread = train.targets[:, number].mean(), train.targets[:, number].std()
        assert np.abs((answers[:, number] - mean) / spread - expected).max() < 2e-2


@pytest.mark.parametrize("target", [LABELS, NUMBER])
@pytest.mark.parametrize("name", ["ridge", "random-forest", "dense"])
def test_options_of_classes_are_refused_by_name(target: str, name: str, make_targets: MakeTargets) -> None:
    if (name, target) == ("random-forest", LABELS):
        pytest.skip("a model for each label weighs its two classes")
    with pytest.raises(UsageError, match=f"class_weight of head '{name}' is for one class an image"):
        fit_head(name, make_targets(target), options={"class_weight": "balanced"})


@pytest.mark.parametrize("name", HEADS)
def test_a_model_of_classes_is_none_of_numbers(
    name: str, numbers: FeatureSet, train: FeatureSet, tmp_path: Path
) -> None:
    options = OPTIONS.get(name, {})
    of_classes = train_head(name, train, None, options=options, runs=tmp_path / "classes")
    of_numbers = train_head(name, numbers, None, options=options, runs=tmp_path / "numbers")
    for ours, other in ((of_numbers, of_classes), (of_classes, of_numbers)):
        head, task, path = ours.head, ours.task, other.folder / other.head.file
        load = head.load_targets if task.target == NUMBER else head.load
        if name in ("svm-rbf", "linear-svm"):
            with pytest.raises(ValueError, match="which this head never saves"):
                load(path, task)
        else:  # trees are trees: what they say does not fit the task
            foreign = dataclasses.replace(ours, model=load(path, task))
            with pytest.raises((PipelineError, IndexError)):
                (foreign.predict_targets if task.target == NUMBER else foreign.predict_proba)(
                    numbers if task.target == NUMBER else train
                )


def test_every_head_that_learns_numbers_so_is_listed() -> None:
    assert set(HEADS) <= set(heads_for(NUMBER))
    assert {"random-forest", "hist-gradient-boosting", "svm-rbf", "linear-svm"} <= set(HEADS)


def test_the_scale_of_numbers() -> None:
    targets = np.array([[1, 5, np.nan], [3, 5, np.nan], [np.nan, 5, np.nan]], np.float32)
    scale = NumberScale.of(targets)
    assert scale.mean.tolist() == [2, 5, 0]
    assert scale.spread.tolist() == [1, 1, 1]
    parts = {number: (rows.tolist(), wanted.tolist()) for number, rows, wanted in scale.known_parts(targets)}
    assert parts == {0: ([0, 1], [-1, 1]), 1: ([0, 1, 2], [0, 0, 0])}
