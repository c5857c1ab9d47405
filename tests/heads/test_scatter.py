"""The scatter of rows that pass by in blocks is that of all rows, and panels solve what the whole would."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import fit_head
from pipeline.heads._core.examples import Examples, select
from pipeline.heads._sklearn import scatter, table
from pipeline.heads._sklearn.table import standardised


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 13 rows, sums of 30 and panels of 7 columns: none of them comes out even."""
    monkeypatch.setattr(table, "BLOCK_BYTES", 13 * 4 * 20)
    monkeypatch.setattr(scatter, "PRODUCT_BYTES", 13 * 4 * 20)
    monkeypatch.setattr("pipeline.heads._sklearn.least_squares.PRODUCT_BYTES", 13 * 4 * 20)
    monkeypatch.setattr(scatter, "SUMMED_ROWS", 30)
    monkeypatch.setattr(scatter, "PANEL", 7)


@pytest.fixture
def rows(make_features: Callable[..., FeatureSet]) -> Examples:
    """150 rows of 20 columns in four classes of unequal size."""
    random = np.random.default_rng(0)
    labels = np.sort(random.integers(0, 10, 150) // 3)
    features = random.normal(size=(150, 20)) * np.geomspace(1, 1000, 20) + 3 * labels[:, None]
    return select(make_features(features.astype(np.float32), labels), np.arange(4))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_blocks_add_up_to_the_scatter_within_classes(
    class_weight: str | None, in_memory: bool, rows: Examples
) -> None:
    values = standardised(rows).values.astype(np.float64)
    if in_memory:
        rows.once(standardised)

    found = scatter.within_scatter(rows, class_weight)

    expected = np.zeros((20, 20))
    for label in range(4):
        own = values[rows.labels == label]
        weight = 150 / (4 * len(own)) if class_weight else 1
        expected += weight * (own - own.mean(axis=0)).T @ (own - own.mean(axis=0))
    assert np.tril(found) == pytest.approx(np.tril(expected), abs=1e-3)


def made(random: np.random.Generator, rank: int) -> np.ndarray:
    """Returns a positive semidefinite matrix (20, 20) whose upper triangle means nothing."""
    root = random.normal(size=(20, rank))
    return np.tril(root @ root.T) + np.triu(np.full((20, 20), 1e9), 1)


def test_panels_make_the_factor() -> None:
    matrix = made(np.random.default_rng(0), 40)
    whole = np.tril(matrix) + np.tril(matrix, -1).T

    lower = scatter.factor(matrix.copy)

    assert np.tril(lower) == pytest.approx(np.linalg.cholesky(whole), rel=1e-9, abs=1e-9)
    wanted = np.random.default_rng(1).normal(size=(20, 3))
    solved = scatter.solve_lower(lower, scatter.solve_lower(lower, wanted), transposed=True)
    assert solved == pytest.approx(np.linalg.solve(whole, wanted))


@pytest.mark.parametrize("rank", [0, 5])
def test_a_matrix_that_rounding_made_singular_is_factorised(rank: int) -> None:
    matrix = made(np.random.default_rng(0), rank)
    matrix.flat[::21] -= 1e-7 * matrix.diagonal().max()

    lower = np.tril(scatter.factor(matrix.copy))

    assert np.tril(lower @ lower.T) == pytest.approx(np.tril(matrix), abs=1e-4)


@pytest.mark.parametrize("name", ["ridge", "lda", "gaussian-nb", "sgd"])
def test_rows_pass_by_in_blocks(name: str, rows: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_head(name, rows.source).model.predict_proba(rows.source.features)
    reads: list[int] = []
    read = FeatureSet.read
    monkeypatch.setattr(FeatureSet, "read", lambda self, index: reads.append(len(index)) or read(self, index))
    monkeypatch.setattr("pipeline.heads.sgd.CHUNK_BYTES", 40 * 4 * 20)
    monkeypatch.setattr("pipeline.heads.sgd.RUN_BYTES", 4 * 20)
    monkeypatch.setattr("pipeline.heads._core.examples.RUN_BYTES", 4 * 20)

    model = fit_head(name, rows.source).model

    assert max(reads) <= 40
    assert sum(reads) >= 300
    assert model.predict_proba(rows.source.features).argmax(axis=1).tolist() == whole.argmax(axis=1).tolist()


def test_ridge_is_as_sure_of_some_rows_as_of_all(rows: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    sure = fit_head("ridge", rows.source).model.steps[-1].sharpness_
    monkeypatch.setattr("pipeline.heads._sklearn.least_squares.LEFT_OUT", 100)

    drawn = fit_head("ridge", rows.source).model.steps[-1].sharpness_

    assert drawn != sure
    assert drawn == pytest.approx(sure, rel=0.2)
    assert fit_head("ridge", rows.source).model.steps[-1].sharpness_ == drawn
