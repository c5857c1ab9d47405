"""What stands between rows and models: limits, orders and sums that hold for every head."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.heads import Examples, SeenImages, TrainingData, fit_head, is_rare, make_head
from pipeline.heads._core.class_balance import class_weights
from pipeline.heads._core.examples import LARGEST, read_finite, select, shuffled_runs
from pipeline.heads._core.temperature import fit_inverse_temperature
from pipeline.heads._sklearn import rowspace, table
from pipeline.heads._sklearn.scores import held_out_scores

Make = Callable[..., FeatureSet]


class Tripled:
    """Answers of another model, which do not sum to 1 any more."""

    def __init__(self, model: object) -> None:
        self.model = model

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        return 3 * self.model.predict_proba(features)

    def predict_examples(self, rows: Examples) -> np.ndarray:
        return 3 * self.model.predict_examples(rows)


def test_every_way_to_ask_gives_probabilities(train: FeatureSet, valid: FeatureSet) -> None:
    trained = fit_head("logreg", train)
    tripled = dataclasses.replace(trained, model=Tripled(trained.model))
    expected = trained.predict_proba(valid)

    ways = {
        "stored": tripled.predict_proba(valid),
        "new": tripled.predict_new(valid.to_memory()),
        "shared": tripled.predict_examples(select(valid, np.arange(3))),
    }

    for answers in ways.values():
        assert answers.sum(axis=1) == pytest.approx(1, abs=1e-12)
        assert answers == pytest.approx(expected, abs=1e-5)
    assert tripled.predict_new(valid.to_memory()[:0]).shape == (0, 3)


def test_classes_in_another_order_are_told_as_such(train: FeatureSet, valid: FeatureSet) -> None:
    with pytest.raises(CacheMismatchError, match="training rows: they stand in another order"):
        fit_head("logreg", train, dataclasses.replace(valid, classes=("bee", "ant", "cat")))


def test_only_rows_of_learnt_classes_decide(train: FeatureSet, valid: FeatureSet) -> None:
    data = TrainingData.of(train, valid)
    assert (len(data.examples), len(data.validation)) == (60, 30)

    blank = np.full(30, -1, np.int32)
    unlabelled = dataclasses.replace(valid, rows=dataclasses.replace(valid.rows, labels=blank))
    assert TrainingData.of(train, unlabelled).validation is None
    assert TrainingData.of(train).validation is None


def test_a_class_of_half_its_share_is_not_rare() -> None:
    assert is_rare(np.array([1, 2, 3, 10]), 16, 4).tolist() == [True, False, False, False]


def test_balanced_classes_count_the_same() -> None:
    labels = np.array([0, 0, 0, 1])
    assert class_weights(labels, "balanced") * np.bincount(labels) == pytest.approx([2, 2])


def test_the_largest_feature_is_used_and_a_larger_one_refused(make_features: Make) -> None:
    rows = make_features(np.float32([[0], [LARGEST], [2 * LARGEST], [-2 * LARGEST]]), [0, 1, 0, 1])

    assert len(read_finite(rows, np.arange(2))) == 2
    with pytest.raises(PipelineError, match=r"row 2 .* hold numbers beyond 1e\+15 \(2 such rows among the 4"):
        read_finite(rows, np.arange(4))


@pytest.mark.parametrize(("row_bytes", "length"), [(1 << 18, 4), (1 << 20, 1), (1 << 30, 1), (0, 10)])
def test_runs_hold_as_many_rows_as_are_read_together(row_bytes: int, length: int) -> None:
    runs = shuffled_runs(10, row_bytes, np.random.default_rng(0))

    assert sorted(np.concatenate(runs)) == list(range(10))
    assert max(map(len, runs)) == length
    assert all((np.diff(run) == 1).all() for run in runs)


@pytest.mark.parametrize(("block_bytes", "sizes"), [(4 * 32 * 25, [25, 25, 10]), (1, [1] * 60)])
def test_tables_are_read_in_blocks(
    block_bytes: int, sizes: list[int], train: FeatureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "BLOCK_BYTES", block_bytes)
    blocks = table.row_blocks(select(train, np.arange(3)))
    assert [block.stop - block.start for block in blocks] == sizes


def test_an_image_is_seen_once() -> None:
    twice = np.array([2, 2], "<u8").tobytes()
    with pytest.raises(ValueError, match="its images are not in order"):
        SeenImages.of_bytes(twice, (2, 0))
    assert SeenImages.of_bytes(twice, (1, 1)).counts == (1, 1)


def test_what_all_scores_of_a_row_share_tells_no_temperature() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.normal(size=(60, 3)), random.integers(0, 3, 60)
    shared = random.normal(scale=9, size=(60, 1))

    assert fit_inverse_temperature(scores + shared, labels) == pytest.approx(
        fit_inverse_temperature(scores, labels), rel=1e-6
    )


@pytest.mark.parametrize(("fewest", "rows"), [(1, 0), (2, 14), (3, 15)])
def test_a_class_of_two_rows_can_be_held_out(fewest: int, rows: int) -> None:
    labels = np.repeat([0, 1], [12, fewest])
    values = np.random.default_rng(0).normal(size=(12 + fewest, 4)) + labels[:, None]

    scores = held_out_scores(LinearSVC(C=0.1, dual=False), values, labels, seed=0)

    assert scores.shape == (rows, 2)


def test_as_many_rows_as_columns_need_no_other_coordinates(make_features: Make) -> None:
    features = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    rows = select(make_features(features, np.arange(6) % 2), np.arange(2))

    assert rows.once(rowspace.row_space).factor is None


@pytest.mark.parametrize("columns", [8, 200])
def test_directions_without_variance_are_none(columns: int, make_features: Make) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 3)) @ random.normal(size=(3, columns))
    rows = select(make_features(features.astype(np.float32), np.arange(40) % 2), np.arange(2))

    assert len(rows.once(rowspace.spectrum, None).squares) == 3


def test_every_fit_of_a_path_goes_on_from_those_before(
    make_features: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.heads import logreg

    passed: list[int] = []
    extrapolate = logreg.extrapolated
    monkeypatch.setattr(
        logreg, "extrapolated", lambda *given: passed.append(len(given[0])) or extrapolate(*given)
    )
    for columns in (10, 90):
        features = np.random.default_rng(0).normal(size=(30, columns)).astype(np.float32)
        rows = select(make_features(features, np.arange(30) % 2), np.arange(2))
        grid = [make_head("logreg", {"C": C}) for C in (0.1, 0.001, 0.01)]
        grid[0].prepare(rows, grid)
        assert rows.has(rowspace.row_space) == (columns > 30)

    assert passed == [0, 1, 2] * 2
