"""Joined features: several cuts of the same rows read as one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.cache.entries import Entry
from pipeline.cache.features import Selection, join_features, joined_spec
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.heads import fit_head
from pipeline.images.row_table import RowTable
from pipeline.images.targets import LABELS
from pipeline.spec import FeatureSpec

Make = Callable[..., FeatureSet]


@pytest.fixture
def cuts(make_features: Make, spec: FeatureSpec) -> tuple[FeatureSet, FeatureSet]:
    draw = np.random.default_rng(0)
    labels = np.arange(12) % 2
    maps = draw.normal(size=(12, 2, 2, 3)).astype(np.float32)
    pooled = (draw.normal(size=(12, 5)) + labels[:, None]).astype(np.float32)
    return (
        make_features(maps, labels, spec=replace(spec, layer="block3_pool")),
        make_features(pooled, labels, spec=replace(spec, layer="block5_pool", pooling="avg")),
    )


def test_rows_stand_side_by_side(cuts: tuple[FeatureSet, FeatureSet]) -> None:
    joined = join_features(cuts)
    index = np.array([5, 0, 11])
    assert joined.feature_shape == (17,)
    expected = np.concatenate([part.features[index].reshape(3, -1) for part in cuts], axis=1)
    np.testing.assert_array_equal(joined.read(index), expected)
    np.testing.assert_array_equal(joined.to_memory()[index], expected)
    batches = list(joined.batches(5))
    assert [len(features) for features, _ in batches] == [5, 5, 2]


def test_a_damaged_part_is_refused(cuts: tuple[FeatureSet, FeatureSet]) -> None:
    cuts[1].features[3, 0] += 1
    with pytest.raises(CacheMismatchError, match=r"row 3 \(train/image3.png\) is damaged"):
        join_features(cuts).to_memory()


def test_the_spec_names_every_cut(cuts: tuple[FeatureSet, FeatureSet]) -> None:
    spec = join_features(cuts).spec
    assert (spec.layer, spec.pooling) == ("block3_pool+block5_pool", "none+avg")
    assert spec.digest not in {part.spec.digest for part in cuts}


def test_the_checksums_are_those_of_every_cut(cuts: tuple[FeatureSet, FeatureSet]) -> None:
    before = join_features(cuts).crc32
    for number in range(2):
        changed = [*cuts]
        changed[number] = replace(cuts[number], crc32=cuts[number].crc32 ^ (np.arange(12) == 3))
        differing = (join_features(changed).crc32 != before).any(axis=1)
        assert np.flatnonzero(differing).tolist() == [3]


OTHERS: dict[str, Callable[[FeatureSet], object]] = {
    "ids": lambda cut: [*cut.rows.ids[:-1], "another.png"],
    "labels": lambda cut: cut.rows.labels[::-1].copy(),
    "digests": lambda cut: cut.rows.digests[::-1].copy(),
    "views": lambda cut: np.ones(12, np.uint8),
    "groups": lambda cut: [f"group {i}" for i in range(12)],
    "targets": lambda cut: np.ones((12, 2), np.float32),
}


@pytest.mark.parametrize("column", [field.name for field in fields(RowTable)])
def test_other_rows_cannot_be_joined(column: str, cuts: tuple[FeatureSet, FeatureSet]) -> None:
    other = replace(cuts[1], rows=replace(cuts[1].rows, **{column: OTHERS[column](cuts[1])}))
    with pytest.raises(
        CacheMismatchError, match="hold different rows: run `pipeline extract` with both layers"
    ):
        join_features([cuts[0], other])


def test_labels_or_numbers_of_other_meaning_cannot_be_joined(cuts: tuple[FeatureSet, FeatureSet]) -> None:
    for changes in (
        {"classes": cuts[1].classes[::-1]},
        {"target": LABELS},
        {"features": cuts[1].features.astype(np.float16)},
    ):
        with pytest.raises(CacheMismatchError, match="hold different rows"):
            join_features([cuts[0], replace(cuts[1], **changes)])


@pytest.mark.parametrize("name", [field.name for field in fields(FeatureSpec)])
def test_cuts_differ_in_nothing_but_the_cut(name: str, spec: FeatureSpec) -> None:
    value = getattr(spec, name)
    other = replace(spec, **{name: value + 1 if isinstance(value, int) else f"{value}x"})
    if name in ("layer", "pooling"):
        assert getattr(joined_spec([spec, other]), name) == f"{value}+{value}x"
    else:
        with pytest.raises(CacheMismatchError, match=f"cuts that differ in {name} cannot be joined"):
            joined_spec([spec, other])


def test_heads_learn_from_joined_cuts(cuts: tuple[FeatureSet, FeatureSet]) -> None:
    joined = join_features(cuts)
    trained = fit_head("logreg", joined)
    assert trained.predict_proba(joined).shape == (12, 2)
    with pytest.raises(CacheMismatchError, match="layer 'block5_pool' instead of"):
        trained.predict_proba(cuts[1])


def test_a_split_is_opened_once(entry: Entry, publish: Callable[..., Path]) -> None:
    publish(["a", "b"])
    chosen = Selection((entry,))
    assert (chosen.dataset, chosen.spec, chosen.splits) == ("toy", entry.spec, ["train"])
    opened = chosen.open("train")
    assert type(opened) is FeatureSet  # nothing is joined
    assert list(opened.rows.ids) == ["a", "b"]
    assert chosen.open("train") is opened
    assert chosen == Selection((entry,))
    with pytest.raises(UsageError, match="split 'val' is not in"):
        chosen.open("val")
