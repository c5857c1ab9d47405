"""Each head gives what scikit-learn's own estimator gives on the same standardised rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.svm import SVC, LinearSVC

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError
from pipeline.heads import Examples, TrainedHead, fit_head, load_head, make_head, sgd, train_head
from pipeline.heads._core import examples
from pipeline.heads._core.examples import select
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn import table
from pipeline.heads._sklearn.scores import SoftmaxLinear, both_sides, held_out_scores
from pipeline.heads._sklearn.table import column_moments, scaled_by, standardised

MakeFeatures = Callable[..., FeatureSet]


@pytest.fixture(params=[2, 3])
def blurred(request: pytest.FixtureRequest, make_features: MakeFeatures) -> FeatureSet:
    """150 rows of 12 columns whose classes overlap."""
    random = np.random.default_rng(0)
    labels = np.arange(150) % request.param
    features = random.normal(size=(150, 12)) + 0.7 * labels[:, None] * (np.arange(12) % 2)
    return make_features(features.astype(np.float32), labels)


def both(train: FeatureSet) -> tuple[np.ndarray, Examples]:
    examples = select(train, np.unique(train.labels))
    return examples.once(standardised).values, examples


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_knn_votes_by_cosine(weights: str, blurred: FeatureSet) -> None:
    trained = fit_head("knn", blurred, options={"k": 7, "weights": weights})
    table, rows = both(blurred)

    direct = KNeighborsClassifier(7, metric="cosine", algorithm="brute", weights=weights)
    # Rows apart from those learnt, whose distance to themselves is zero up to rounding.
    asked = table[:50] + 0.1 * table[50:100]

    answers = trained.model._of_table(asked)
    assert answers == pytest.approx(direct.fit(table, rows.labels).predict_proba(asked), abs=1e-4)


def test_more_neighbours_than_rows_are_all_rows(blurred: FeatureSet) -> None:
    trained = fit_head("knn", blurred, options={"k": 1000, "weights": "uniform"})

    share = np.bincount(blurred.labels) / 150
    assert trained.predict_proba(blurred) == pytest.approx(np.tile(share, (150, 1)))


def test_prototype_answers_as_nearest_centroid(blurred: FeatureSet) -> None:
    trained = fit_head("prototype", blurred)
    table, rows = both(blurred)

    direct = NearestCentroid().fit(table, rows.labels)

    assert np.array_equal(trained.predict_proba(blurred).argmax(axis=1), direct.predict(table))


def test_prototype_is_as_sure_as_without_each_row(make_features: MakeFeatures) -> None:
    labels = np.repeat([0, 1, 2, 3], [9, 5, 3, 1])
    features = np.random.default_rng(0).normal(size=(18, 6)) + labels[:, None]
    trained = fit_head("prototype", make_features(features.astype(np.float32), labels))
    table = trained.model.steps[0].transform(features)

    scores = np.empty((17, 4))  # the single row of its class cannot be left out
    for row in range(17):
        others = np.arange(18) != row
        means = np.stack([table[others & (labels == label)].mean(axis=0) for label in range(4)])
        scores[row] = -np.square(table[row] - means).sum(axis=1) / 2

    expected = fit_inverse_temperature(scores, labels[:17])
    assert trained.model.steps[-1].sharpness_ == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["linear-svm", "svm-rbf", "ridge", "prototype"])
def test_noise_learnt_by_heart_makes_no_head_sure(name: str, make_features: MakeFeatures) -> None:
    noise = np.random.default_rng(0).normal(size=(240, 200)).astype(np.float32)
    labels = np.arange(240) % 3
    trained = fit_head(name, make_features(noise[:120], labels[:120]))

    fresh = trained.predict_proba(make_features(noise[120:], labels[120:]))

    assert -np.log(fresh[np.arange(120), labels[120:]]).mean() < 1.1 * np.log(3)


def test_held_out_scores_are_those_of_fits_without_the_row(blurred: FeatureSet) -> None:
    table, rows = both(blurred)
    machine = LinearSVC(C=0.1, dual=False)

    expected = np.empty((150, len(np.unique(rows.labels))))
    for learn, ask in StratifiedKFold(3, shuffle=True, random_state=8).split(table, rows.labels):
        scores = machine.fit(table[learn], rows.labels[learn]).decision_function(table[ask])
        expected[ask] = both_sides(scores)

    assert held_out_scores(machine, table, rows.labels, seed=8) == pytest.approx(expected)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_svm_rbf_scores_are_those_of_svc(class_weight: str | None, blurred: FeatureSet) -> None:
    trained = fit_head("svm-rbf", blurred, options={"C": 2, "gamma": 0.5, "class_weight": class_weight})
    table, rows = both(blurred)

    direct = SVC(C=2, gamma=0.5 / 12, class_weight=class_weight).fit(table, rows.labels)

    scores = trained.model.steps[-1].decision_function(table[::2])
    assert scores == pytest.approx(both_sides(direct.decision_function(table[::2])), abs=5e-3)


def test_forest_answers_as_that_of_sklearn(blurred: FeatureSet) -> None:
    trained = fit_head("random-forest", blurred, options={"trees": 7, "max_features": 0.5}, seed=4)
    table, rows = both(blurred)

    direct = RandomForestClassifier(7, max_features=0.5, random_state=4).fit(table, rows.labels)

    assert trained.predict_proba(blurred) == pytest.approx(direct.predict_proba(table), abs=1e-12)


def test_boosting_answers_as_that_of_sklearn(blurred: FeatureSet) -> None:
    options = {"components": 5, "rounds": 8}
    trained = fit_head("hist-gradient-boosting", blurred, options=options, seed=4)
    table, rows = both(blurred)
    projected = TruncatedSVD(5, random_state=4).fit_transform(table)
    direct = HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False, random_state=4
    ).fit(projected, rows.labels)

    assert trained.predict_proba(blurred) == pytest.approx(direct.predict_proba(projected), abs=1e-4)


@pytest.mark.parametrize("name", ["feature_", "left_", "roots_"])
def test_trees_with_numbers_out_of_range_are_an_error_and_no_crash(
    name: str, blurred: FeatureSet, tmp_path: Path
) -> None:
    trained = train_head("random-forest", blurred, None, options={"trees": 3}, runs=tmp_path)
    trees = load_head(trained.folder).model.steps[-1]
    getattr(trees, name)[:] = 1_000_000

    with pytest.raises(IndexError):
        trees.predict_proba(both(blurred)[0])


def test_trees_that_never_end_are_left(blurred: FeatureSet) -> None:
    trees = fit_head("random-forest", blurred, options={"trees": 1}).model.steps[-1]
    trees.left_[:2] = trees.right_[:2] = [1, 0]

    assert trees.predict_proba(both(blurred)[0]).shape[0] == 150


@pytest.mark.parametrize("factor", [0.01, 1, 100])
def test_the_inverse_temperature_undoes_any_scale(factor: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(scale=2, size=(4000, 3))
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)

    assert fit_inverse_temperature(factor * logits, labels) == pytest.approx(1 / factor, rel=0.1)


def test_the_inverse_temperature_without_rows_or_differences_is_one() -> None:
    assert fit_inverse_temperature(np.empty((0, 3)), np.empty(0, int)) == 1
    assert fit_inverse_temperature(np.ones((5, 2)), np.array([0, 1, 0, 1, 0])) == 1


def test_softmax_of_both_sides_is_the_logistic_function() -> None:
    model = SoftmaxLinear.of(both_sides(np.array([[2.0]])).T, np.zeros(2))

    proba = model.predict_proba(np.array([[1.5]], np.float32))
    assert proba == pytest.approx(softmax([[-1.5, 1.5]], axis=1))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of five runs of three rows of the toy sets."""
    for module in (sgd, examples):
        monkeypatch.setattr(module, "RUN_BYTES", 3 * 4 * 32)
    monkeypatch.setattr(sgd, "CHUNK_BYTES", 5 * 3 * 4 * 32)


@pytest.mark.usefixtures("small_chunks")
def test_sgd_reads_every_row_once_an_epoch_and_never_all(
    train: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[np.ndarray] = []
    read = FeatureSet.read
    monkeypatch.setattr(table, "BLOCK_BYTES", 10 * 4 * 32)
    monkeypatch.setattr(FeatureSet, "read", lambda self, index: reads.append(index) or read(self, index))

    fit_head("sgd", train, options={"epochs": 3})

    assert max(map(len, reads)) == 15
    sequence = np.concatenate(reads)
    scaling, *epochs = np.split(sequence, 4)
    assert np.array_equal(scaling, np.arange(60))
    assert all(np.array_equal(np.sort(epoch), np.arange(60)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


@pytest.mark.usefixtures("small_chunks")
def test_sgd_shuffles_the_rows_of_a_chunk(train: FeatureSet) -> None:
    rows = select(train, np.arange(3))
    chunks = list(sgd.shuffled_chunks(rows, np.random.default_rng(0)))

    assert [len(chunk) for chunk in chunks] == [15, 15, 15, 15]
    assert sorted(np.concatenate(chunks)) == list(range(60))
    assert not any(np.array_equal(chunk, np.sort(chunk)) for chunk in chunks)


@pytest.mark.usefixtures("small_chunks")
def test_sgd_in_pieces_learns_as_well_as_at_once(train: FeatureSet, valid: FeatureSet) -> None:
    assert fit_head("sgd", train, valid).val_accuracy >= 0.9


def test_sgd_ignores_memory(train: FeatureSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.heads._sklearn.sklearn_head.available_bytes", lambda: 0)

    make_head("sgd", {}).prepare(select(train, np.arange(3)), [])
    assert isinstance(fit_head("sgd", train), TrainedHead)
    with pytest.raises(PipelineError, match="`--head sgd`"):
        fit_head("logreg", train)


def test_rows_are_scaled_as_those_learnt_from(train: FeatureSet, valid: FeatureSet) -> None:
    scaler = select(train, np.arange(3)).once(column_moments).scaler

    scaled = scaled_by(select(valid, np.arange(3)), scaler)

    learnt, asked = (part.features.reshape(len(part), -1).astype(np.float64) for part in (train, valid))
    spread = np.where(learnt.std(axis=0) > 0, learnt.std(axis=0), 1)
    assert scaled == pytest.approx((asked - learnt.mean(axis=0)) / spread, abs=1e-3)


def test_sgd_scales_rows_to_a_mean_squared_length_of_one(train: FeatureSet, valid: FeatureSet) -> None:
    scaler, _ = fit_head("sgd", train, valid).model.steps

    scaled = scaler.transform(train.features.reshape(60, -1).astype(np.float32))

    assert scaled.mean(axis=0) == pytest.approx(np.zeros(32), abs=1e-5)
    assert np.square(scaled).sum(axis=1).mean() == pytest.approx(1, rel=1e-4)
