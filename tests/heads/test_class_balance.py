"""Class balance: what is said before a head is trained, and what scripts are told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import ClassBalance, fit_head

Make = Callable[..., FeatureSet]

CLASSES = ("ant", "bee", "cat")


def labelled(make_features: Make, labels: list[int], split: str) -> FeatureSet:
    return make_features(np.zeros((len(labels), 2)), np.array(labels), split=split, classes=CLASSES)


def test_even_classes_need_no_note(make_features: Make) -> None:
    balance = ClassBalance.of(
        labelled(make_features, [0, 1, 2], "train"), labelled(make_features, [0, 1, 1, 2], "val")
    )
    assert balance.notes == ()
    assert balance.to_json() == {
        "unlabelled": {"train": 0, "val": 0},
        "classes_without_training_rows": [],
        "majority_class": "ant",
        "majority_accuracy": 0.25,
    }


@pytest.mark.parametrize(
    ("train", "val", "expected"),
    [
        ([0, 1, 2, -1, -1], [0], "2 rows of train have no label and are not learnt from"),
        ([0, 1, 2], [0, -1], "1 row of val has no label and is not measured on"),
        ([0, 0, 2], [0, 1], "no training rows of class bee"),
        (
            [0] * 8 + [1] * 8 + [2],
            [0, 0, 0, 1],
            "few training rows of cat: always answering ant would have 75.00% of",
        ),
    ],
    ids=["unlabelled", "unlabelled val", "never learnt", "rare"],
)
def test_what_misleads_is_said(train: list[int], val: list[int], expected: str, make_features: Make) -> None:
    balance = ClassBalance.of(labelled(make_features, train, "train"), labelled(make_features, val, "val"))
    (note,) = balance.notes
    assert note.startswith(expected)


def test_without_val_there_is_no_baseline(make_features: Make) -> None:
    balance = ClassBalance.of(labelled(make_features, [0] * 9 + [1], "train"))
    assert balance.majority_accuracy is None
    assert balance.missing == ("cat",)


@pytest.mark.parametrize(
    ("train", "val", "expected"),
    [
        (
            [0, 1, 2] * 4,
            [0, 0, 1, 2],
            ["nothing was found of cat in val; always answering ant would have 50.00%"],
        ),
        (
            [0] * 6 + [1] * 6 + [2],
            [0, 0, 1, 2],
            ["few training rows of cat: always", "nothing was found of cat in val"],
        ),
        ([0, 1] * 4, [0, 1, 2], ["no training rows of class cat"]),
        ([0, 1, 2] * 4, [0, 1, -1], ["1 row of val has no label"]),
    ],
    ids=["found nowhere", "rare, too", "never learnt", "not in val"],
)
def test_training_says_what_is_not_found(
    train: list[int],
    val: list[int],
    expected: list[str],
    make_features: Make,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The features tell ant from bee, and cats of val look like ants."""
    places = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [0.0, 0.0]], np.float32)
    parts = [
        make_features(at[labels], np.array(labels), split=split, classes=CLASSES)
        for split, labels, at in (("train", train, places), ("val", val, places[[0, 1, 0, 0]]))
    ]
    trained = fit_head("prototype", *parts)
    said = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"note: {words}") for line, words in zip(said, expected, strict=True))
    assert trained.to_json()["classes_not_found"] == (["cat"] if 2 in val else [])
