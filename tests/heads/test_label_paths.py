"""Logistic regression of many labels at once: each as scikit-learn fits it by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.cache import FeatureSet
from pipeline.heads import Examples, TrainingData, fit_head, fit_on, make_head
from pipeline.heads._core.examples import select_known
from pipeline.heads._core.probabilities import logistic
from pipeline.heads._sklearn import many_logistic
from pipeline.heads._sklearn.label_paths import solve_labels
from pipeline.heads._sklearn.table import standardised
from pipeline.images.targets import LABELS

STRENGTHS = [0.001, 0.01, 1.0]


@pytest.fixture
def make_labels(make_features: Callable[..., FeatureSet]) -> Callable[[int], FeatureSet]:
    """Builds 80 rows with seven labels: the last is rare, and two are unknown of some rows."""

    def make(columns: int) -> FeatureSet:
        random = np.random.default_rng(columns)
        features = random.normal(size=(80, columns)) * np.geomspace(0.1, 100, columns)
        marks = features[:, :7] / np.geomspace(0.1, 100, columns)[:7] + random.normal(size=(80, 7)) > 0.3
        targets = marks.astype(np.float32)
        targets[:, 6] = 0
        targets[:2, 6] = 1
        targets[10:30, 1] = targets[::3, 2] = np.nan
        made = make_features(
            features.astype(np.float16), np.full(80, -1), classes=tuple(f"label {i}" for i in range(7))
        )
        rows = dataclasses.replace(made.rows, targets=targets)
        return dataclasses.replace(made, rows=rows, target=LABELS)

    return make


def direct_fits(train: Examples, strength: float, class_weight: str | None) -> np.ndarray:
    """Returns what a fit on each label by itself answers to the training rows, (n, k)."""
    table = train.once(standardised).values.astype(np.float64)
    answers = []
    for column in train.targets.T:
        known = ~np.isnan(column)
        machine = LogisticRegression(
            C=strength, tol=1e-8, solver="newton-cholesky", class_weight=class_weight
        )
        answers.append(machine.fit(table[known], column[known]).predict_proba(table)[:, 1])
    return np.stack(answers, axis=1)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("columns", [12, 200])
def test_every_label_and_strength_of_a_path_is_a_fit_by_itself(
    columns: int, class_weight: str | None, make_labels: Callable[[int], FeatureSet]
) -> None:
    train = select_known(make_labels(columns))
    path = solve_labels(train, STRENGTHS, tol=1e-6, max_iter=2000, class_weight=class_weight)
    for strength, solved in zip(STRENGTHS, path, strict=True):
        answers = solved.answering.predict_targets(train.once(standardised).values)
        assert np.abs(answers - direct_fits(train, strength, class_weight)).max() < 2e-4
        assert solved.converged


def test_labels_are_solved_in_parts_where_memory_is_short(
    make_labels: Callable[[int], FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = select_known(make_labels(12))
    whole = solve_labels(train, [0.1], tol=1e-6, max_iter=2000, class_weight=None)[0].answering
    monkeypatch.setattr(many_logistic, "STATE_BYTES", 1)
    parts = solve_labels(train, [0.1], tol=1e-6, max_iter=2000, class_weight=None)[0].answering
    assert np.abs(parts.coef_ - whole.coef_).max() < 1e-4


def test_a_grid_that_was_prepared_answers_as_each_by_itself(
    make_labels: Callable[[int], FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TrainingData.of(make_labels(200))
    options = [{"C": strength, "tol": 1e-6} for strength in STRENGTHS]
    alone = [fit_head("logreg", data.train, options=one).predict_targets(data.train) for one in options]
    grid = [make_head("logreg", one) for one in options]
    grid[0].prepare(data.examples, grid)
    monkeypatch.setattr("pipeline.heads.logreg.solve_labels", None)
    for one, expected in zip(options, alone, strict=True):
        answers = fit_on(data, "logreg", options=one).predict_targets(data.train)
        assert np.abs(answers - expected).max() < 2e-4


def test_a_fit_that_has_not_converged_says_so(
    make_labels: Callable[[int], FeatureSet], capsys: pytest.CaptureFixture[str]
) -> None:
    fit_head("logreg", make_labels(12), options={"max_iter": 2, "tol": 1e-8})
    assert "had not converged after max_iter=2 iterations; `--set max_iter=20`" in capsys.readouterr().err


def test_far_outliers_are_no_trouble() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(50, 5)).astype(np.float32)
    rows[0] = 1e4
    truth = (rows[:, :2] > 0).astype(np.float32)
    even = np.full((50, 2), 1 / 50, np.float32)
    problem = many_logistic.Problem(rows, truth, even, np.full(2, 1e-3, np.float32))
    found, converged = many_logistic.solve_all(problem, tol=1e-4, max_iter=5000)
    assert converged
    assert ((logistic(problem.scores(found)) > 0.5) == truth).mean() > 0.9
