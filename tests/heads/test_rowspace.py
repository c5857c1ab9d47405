"""A fit in the row space is the fit on the columns, and one decomposition serves all penalties."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.covariance import ShrunkCovariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.svm import LinearSVC

from pipeline.cache import FeatureSet
from pipeline.heads import Examples, Task, make_head
from pipeline.heads._core.examples import select
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn import rowspace, scatter
from pipeline.heads._sklearn.scatter import within_scatter
from pipeline.heads._sklearn.scores import both_sides
from pipeline.heads._sklearn.table import standardised

MakeFeatures = Callable[..., FeatureSet]


def make_wide(make_features: MakeFeatures, classes: int) -> Examples:
    """60 rows of 400 columns, some of them constant, two rows the same."""
    random = np.random.default_rng(classes)
    labels = np.arange(60) % classes
    features = random.normal(size=(60, 400)) * np.geomspace(0.01, 100, 400) + labels[:, None] % 2
    features[:, 7:10], features[5] = 3, features[5 + 2 * classes]
    return all_of(make_features(features.astype(np.float32), labels))


def make_tall(make_features: MakeFeatures, classes: int) -> Examples:
    """400 rows of 30 columns, and classes of unequal size."""
    random = np.random.default_rng(classes)
    labels = np.sqrt(np.arange(400) / 400 * classes**2).astype(int)
    features = random.normal(size=(400, 30)) + 0.5 * labels[:, None] * (np.arange(30) % 3)
    return all_of(make_features(features.astype(np.float32), labels))


@pytest.fixture(params=[2, 3])
def wide(request: pytest.FixtureRequest, make_features: MakeFeatures) -> Examples:
    return make_wide(make_features, request.param)


@pytest.fixture(params=[2, 3])
def tall(request: pytest.FixtureRequest, make_features: MakeFeatures) -> Examples:
    return make_tall(make_features, request.param)


@pytest.fixture(params=[(make_wide, 2), (make_wide, 3), (make_tall, 2), (make_tall, 3)])
def either(request: pytest.FixtureRequest, make_features: MakeFeatures) -> Examples:
    make, classes = request.param
    return make(make_features, classes)


def all_of(features: FeatureSet) -> Examples:
    return select(features, np.unique(features.labels))


def like(expected: np.ndarray, *, within: float) -> object:
    """Equal up to a share of the largest value."""
    return pytest.approx(expected, rel=0, abs=float(within * np.abs(expected).max()))


def learnt(name: str, train: Examples, **options: object) -> object:
    task = Task(train.source.spec, train.source.feature_shape, int(train.labels.max()) + 1)
    return make_head(name, options).fit(task, train, None, seed=0)[0].steps[-1]


def test_coordinates_keep_inner_products(wide: Examples) -> None:
    space = wide.once(rowspace.row_space)
    values = wide.once(standardised).values

    assert space.rows.shape == (60, 60)
    assert space.rows @ space.rows.T == pytest.approx(values @ values.T, abs=0.01)
    # A direction in the span of the rows, as every fit gives one.
    coef = np.random.default_rng(0).normal(size=(2, 60)).astype(np.float32) @ space.rows
    assert values @ space.to_columns(coef).T == pytest.approx(space.rows @ coef.T, rel=1e-3, abs=1)


def test_rows_no_fewer_than_columns_stay_as_they_are(tall: Examples) -> None:
    space = tall.once(rowspace.row_space)

    assert space.rows is tall.once(standardised).values
    assert space.to_columns(np.ones((2, 30))) == pytest.approx(np.ones((2, 30)))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_logreg_path_equals_direct_fits(either: Examples, class_weight: str | None) -> None:
    grid = [make_head("logreg", {"C": C, "tol": 1e-7, "class_weight": class_weight}) for C in (1, 1e-4, 0.01)]
    grid[0].prepare(either, grid)

    values = either.once(standardised).values
    assert either.has(rowspace.row_space) == (len(values) < values.shape[1])
    for head in grid:
        model = learnt("logreg", either, **dataclasses.asdict(head))
        direct = LogisticRegression(C=head.C, tol=1e-7, max_iter=1000, class_weight=class_weight)
        direct.fit(values, either.labels)
        assert model.coef_ == like(direct.coef_, within=2e-3)
        assert model.intercept_ == pytest.approx(direct.intercept_, rel=2e-3, abs=3e-3)


def test_logreg_path_takes_fewer_iterations_than_fits_from_zero(tall: Examples) -> None:
    grid = [make_head("logreg", {"C": C}) for C in np.geomspace(1e-4, 1, 10).tolist()]
    alone = [learnt("logreg", tall, C=head.C).n_iter_.sum() for head in grid]

    grid[0].prepare(tall, grid)

    path = [learnt("logreg", tall, C=head.C).n_iter_.sum() for head in grid]
    # Rounding alone makes the share 0.75 or 0.82.
    assert sum(path) < 0.9 * sum(alone)
    assert path[0] == alone[0]


def test_row_space_leaves_little_to_do_in_the_columns(wide: Examples) -> None:
    grid = [make_head("logreg", {"C": C}) for C in (1e-4, 1e-3, 1e-2)]
    alone = [learnt("logreg", wide, C=head.C).n_iter_.sum() for head in grid]

    grid[0].prepare(wide, grid)

    assert sum(learnt("logreg", wide, C=head.C).n_iter_.sum() for head in grid) < 0.5 * sum(alone)


@pytest.mark.parametrize(
    ("name", "option"),
    [("linear-svm", "C"), ("svm-rbf", "gamma"), ("ridge", "alpha"), ("lda", "shrinkage")],
)
def test_prepared_fits_are_those_alone(name: str, option: str, wide: Examples) -> None:
    grid = [make_head(name, {option: value}) for value in (0.01, 1)]
    alone = learnt(name, select(wide.source, np.unique(wide.labels)), **{option: 0.01})

    grid[0].prepare(wide, grid)
    prepared = set(wide._made)

    values = wide.once(standardised).values
    assert np.array_equal(
        learnt(name, wide, **{option: 0.01}).predict_proba(values), alone.predict_proba(values)
    )
    assert set(wide._made) == prepared


def test_row_space_alone_lands_on_the_direct_fit(wide: Examples) -> None:
    space = wide.once(rowspace.row_space)
    direct = LogisticRegression(C=0.01, tol=1e-7, max_iter=1000).fit(space.values, wide.labels)

    rotated = LogisticRegression(C=0.01, tol=1e-7, max_iter=1000).fit(space.rows, wide.labels)

    mapped = space.to_columns(rotated.coef_)
    assert mapped == like(direct.coef_, within=1e-3)
    assert rotated.intercept_ == pytest.approx(direct.intercept_, abs=1e-3)


@pytest.mark.parametrize("C", [1e-4, 1e-2])
def test_linear_svm_equals_the_direct_fit(wide: Examples, C: float) -> None:  # noqa: N803
    model = learnt("linear-svm", wide, C=C, tol=1e-7)

    direct = LinearSVC(C=C, tol=1e-7, dual=False, max_iter=1000)
    direct.fit(wide.once(standardised).values, wide.labels)
    coef = both_sides(direct.coef_.T).T
    assert model.coef_ == like(coef, within=1e-3)
    assert model.intercept_ == pytest.approx(both_sides(direct.intercept_[None])[0], abs=1e-3)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_ridge_equals_that_of_sklearn_from_one_matrix(class_weight: str | None, either: Examples) -> None:
    train = either
    table = train.once(standardised)
    shared = {(within_scatter if scatter.is_tall(train) else rowspace.spectrum, class_weight)}
    targets = np.where(train.labels[:, None] == np.unique(train.labels), 1.0, -1.0)
    weights = rowspace.row_weights(train.labels, class_weight)

    for alpha in (0.01, 1, 100):
        model = learnt("ridge", train, alpha=alpha, class_weight=class_weight)

        direct = SklearnRidge(alpha * table.moments.unit).fit(
            table.values.astype(np.float64), targets, weights
        )
        assert model.coef_ == like(direct.coef_, within=1e-4)
        assert model.intercept_ == pytest.approx(direct.intercept_, abs=1e-4)
    assert {key for key in train._made if class_weight in key} == shared


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("columns", [100, 12])
def test_ridge_is_as_sure_as_its_fits_without_each_row(
    columns: int, class_weight: str | None, make_features: MakeFeatures
) -> None:
    labels = np.repeat([0, 1, 2], [20, 8, 4])
    features = np.random.default_rng(0).normal(size=(32, columns))
    features[:, ::2] += labels[:, None]
    train = all_of(make_features(features.astype(np.float32), labels))
    table = train.once(standardised)
    values, targets = table.values.astype(np.float64), np.where(np.eye(3)[labels] > 0, 1.0, -1.0)
    weights = rowspace.row_weights(labels, class_weight)

    scores = np.empty_like(targets)
    for row in range(32):
        others = np.arange(32) != row
        direct = SklearnRidge(0.3 * table.moments.unit).fit(values[others], targets[others], weights[others])
        scores[row] = direct.predict(values[row : row + 1])[0]

    model = learnt("ridge", train, alpha=0.3, class_weight=class_weight)
    assert model.sharpness_ == pytest.approx(fit_inverse_temperature(scores, labels), rel=1e-4)


def test_lda_equals_that_of_sklearn(tall: Examples) -> None:
    values = tall.once(standardised).values
    model = learnt("lda", tall, shrinkage=0.3)

    covariance = ShrunkCovariance(shrinkage=0.3)
    direct = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=covariance)
    direct.fit(values, tall.labels)
    assert model.predict_proba(values) == pytest.approx(direct.predict_proba(values), abs=1e-4)


@pytest.mark.parametrize(
    ("rows", "classes", "expected"), [(100, 2, True), (2000, 2, False), (2000, 10, True), (5000, 99, False)]
)
def test_size_decides(rows: int, classes: int, expected: bool) -> None:
    assert rowspace.pays(rows, 8192, 10, classes) is expected
