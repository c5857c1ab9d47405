"""Columns are scaled as scikit-learn's scaler scales them, and the rows of a class lie where they do."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from pipeline.cache import FeatureSet
from pipeline.heads._core.examples import Examples, read_finite, select
from pipeline.heads._sklearn import table
from pipeline.heads._sklearn.table import column_moments, flat, scaled_blocks, standardised


@pytest.fixture
def odd(make_features: Callable[..., FeatureSet], monkeypatch: pytest.MonkeyPatch) -> Examples:
    """90 rows in blocks of seven: columns far from 0, constant, all but constant, huge, tiny."""
    monkeypatch.setattr(table, "BLOCK_BYTES", 7 * 4 * 8)
    random = np.random.default_rng(0)
    labels = np.sort(np.arange(90) % 4)
    features = random.normal(size=(90, 8)) + labels[:, None]
    features[:, 1] = 1e4 + 0.01 * features[:, 1]
    features[:, 2], features[:, 3] = 300.1, 0
    features[17, 3] = 1e-20
    features[:, 4] *= 1e14
    features[:, 5] *= 1e-14
    made = make_features(features.astype(np.float32), labels)
    return select(made, np.arange(4))


def test_columns_are_scaled_as_by_sklearn(odd: Examples) -> None:
    moments = odd.once(column_moments)

    direct = StandardScaler().fit(odd.source.features.astype(np.float64))
    assert (np.abs(moments.mean - direct.mean_) <= 1e-6 * np.sqrt(direct.var_)).all()
    assert moments.variance == pytest.approx(direct.var_, rel=1e-6, abs=0)
    assert moments.scaler.scale_ == pytest.approx(direct.scale_, rel=1e-6)
    assert moments.variance[2] == 0
    assert moments.unit == 7


def test_class_means_are_those_of_the_scaled_rows(odd: Examples) -> None:
    scaled = odd.once(column_moments).scaler.transform(odd.source.features.astype(np.float64))

    means = np.stack([scaled[odd.labels == label].mean(axis=0) for label in range(4)])
    assert odd.once(column_moments).class_means == pytest.approx(means, abs=1e-6)


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("among", [None, np.array([0, 3, 50, 89])])
def test_blocks_are_the_rows_of_the_table(in_memory: bool, among: np.ndarray | None, odd: Examples) -> None:
    whole = standardised(odd).values
    if in_memory:
        odd.once(standardised)

    blocks = list(scaled_blocks(odd, among))

    positions = np.concatenate([part for part, _ in blocks])
    assert np.array_equal(positions, np.arange(90) if among is None else among)
    assert np.array_equal(np.concatenate([block for _, block in blocks]), whole[positions])
    assert max(len(block) for _, block in blocks) <= 7
    blocks[0][1][:] = 0  # the reader's own
    assert np.array_equal(standardised(odd).values, whole)


def test_rows_are_read_once_for_moments_and_table(odd: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = FeatureSet.read
    monkeypatch.setattr(FeatureSet, "read", lambda self, index: reads.extend(index) or read(self, index))

    odd.once(standardised)

    assert odd.once(column_moments) is odd.once(standardised).moments
    assert reads == list(range(90))


def test_moments_known_before_are_those_of_the_table(odd: Examples) -> None:
    before = odd.once(column_moments)

    assert odd.once(standardised).moments is before


def test_every_half_is_converted_exactly() -> None:
    every = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(512, 128)
    finite = np.where(np.isfinite(every), every, np.float16(0))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # signalling NaN
        assert np.array_equal(flat(every), every.astype(np.float32), equal_nan=True)
    assert np.array_equal(flat(finite).view(np.uint32), finite.astype(np.float32).view(np.uint32))
    assert np.array_equal(flat(finite[:, ::2]), finite[:, ::2].astype(np.float32))


def test_finite_halves_of_any_size_are_read(make_features: Callable[..., FeatureSet]) -> None:
    rows = np.array([[65504, -65504, 6e-8, -0.0]], np.float16)

    assert np.array_equal(read_finite(make_features(rows, np.zeros(1, int)), np.arange(1)), rows)
