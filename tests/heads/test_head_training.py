"""What train_head checks before, and records after, a head has learnt."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.heads import fit_head, train_head
from pipeline.heads._core.trained import BLOCK_ROWS


def test_unknown_head_lists_the_heads(train: FeatureSet) -> None:
    with pytest.raises(
        UsageError, match=r"unknown head 'logref' \(did you mean 'logreg'\?\).*dense, .*logreg"
    ):
        fit_head("logref", train)


@pytest.mark.parametrize("rows", [0, 5])
def test_refuses_rows_without_labels(rows: int, make_features: Callable[..., FeatureSet]) -> None:
    unlabelled = make_features(np.zeros((rows, 3), np.float16), [-1] * rows, classes=("ant", "bee"))

    with pytest.raises(UsageError, match=f"none of its {rows} rows is labelled"):
        fit_head("logreg", unlabelled)


def test_refuses_validation_rows_of_another_kind(train: FeatureSet, valid: FeatureSet) -> None:
    other = dataclasses.replace(valid, spec=dataclasses.replace(valid.spec, image_size=224))

    with pytest.raises(CacheMismatchError, match=r"val.h5.*image_size 224 instead of 150"):
        fit_head("logreg", train, other)


def test_reports_damaged_rows(train: FeatureSet) -> None:
    train.features[3, 0, 0, 0] += 1

    with pytest.raises(CacheMismatchError, match=r"row 3 \(train/image3.png\) is damaged"):
        fit_head("logreg", train)


def test_validation_accuracy_counts_labelled_rows_only(
    train: FeatureSet, valid: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    wrong = (valid.labels + 1) % 3
    mixed = np.select([np.arange(30) < 10, np.arange(30) < 15], [valid.labels, wrong], -1)

    trained = fit_head(
        "logreg", train, make_features(valid.features, mixed, split="val", classes=valid.classes)
    )

    assert trained.val_accuracy == pytest.approx(10 / 15)


def test_no_validation_accuracy_without_labels(
    train: FeatureSet, valid: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    blank = make_features(valid.features, [-1] * 30, split="val", classes=valid.classes)

    assert fit_head("logreg", train).val_accuracy is None
    assert fit_head("logreg", train, blank).val_accuracy is None


def test_records_how_it_was_trained(train: FeatureSet, tmp_path: Path) -> None:
    trained = train_head("logreg", train, None, options={"C": "0.5"}, seed=7, runs=tmp_path)

    assert trained.options == {"C": 0.5, "max_iter": 1000, "tol": 1e-4, "class_weight": None}
    assert (trained.name, trained.seed, trained.dataset) == ("logreg", 7, "toy")
    assert trained.classes == train.classes
    assert trained.class_counts == (20, 20, 20)
    assert trained.history == {}
    assert trained.seconds > 0
    assert {"python", "pipeline", "scikit-learn"} <= set(trained.versions)
    assert json.loads(json.dumps(trained.to_json())) == {
        "head": "logreg",
        "run": str(trained.folder),
        "train_rows": 60,
        "val_accuracy": None,
        "seconds": round(trained.seconds, 3),
        "classes_not_found": None,
    }


@pytest.mark.parametrize("rows", [1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 3])
def test_blocks_of_a_prediction_leave_no_trace(
    rows: int, train: FeatureSet, make_toy: Callable[..., FeatureSet]
) -> None:
    trained = fit_head("logreg", train)
    test = make_toy("test", rows=rows)

    whole = trained.model.predict_proba(test.features)

    assert trained.predict_proba(test) == pytest.approx(whole, abs=1e-6)
