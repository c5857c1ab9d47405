"""What heads have seen of val and test: counted image by image, told where it flatters them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks.heads import SeenByHead, find_seen
from pipeline.heads import train_head

Make = Callable[..., FeatureSet]


@pytest.mark.parametrize(
    ("split", "trained_on", "validated_on", "leaks"),
    [
        ("test", 0, 0, False),
        ("test", 1, 0, True),
        ("test", 0, 1, True),
        ("test", 3, 3, True),
        ("val", 0, 0, False),
        ("val", 0, 9, False),
        ("val", 1, 0, True),
        ("val", 1, 9, True),
    ],
)
def test_one_image_flatters_and_val_may_be_chosen_on(
    split: str, trained_on: int, validated_on: int, leaks: bool
) -> None:
    assert SeenByHead("logreg", split, 9, trained_on, validated_on).leaks is leaks


def test_the_images_of_val_and_test_are_looked_up_in_every_head(make_features: Make, tmp_path: Path) -> None:
    def rows(split: str, count: int) -> FeatureSet:
        features = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
        return make_features(features, np.arange(count) % 2, split=split)

    train, val, test = rows("train", 10), rows("val", 8), rows("test", 6)
    entry = train_head("prototype", train, val, runs=tmp_path).folder.parent
    for name, text in (("broken", "no record"), ("older", "{}")):
        (entry / name).mkdir()
        (entry / name / "head.json").write_text(text)
    splits = {"train": train, "val": val, "test": test}
    assert find_seen(entry, splits).found == ()

    test.rows.digests[:2] = train.rows.digests[:2]
    test.rows.digests[2:5] = val.rows.digests[:3]
    test.rows.digests[5] = test.rows.digests[0]  # a view of an image is no image
    views = np.array([0, 0, 0, 0, 0, 1], np.uint8)
    splits["test"] = replace(test, rows=replace(test.rows, views=views))
    seen = find_seen(entry, splits)

    assert seen.found == (SeenByHead("prototype", "test", 5, 2, 3),)
    assert seen.found[0].line.startswith(
        "head prototype was trained on 2 and chosen on 3 of the 5 test images: `pipeline train-head --head"
    )
    assert seen.to_json() == [
        {"head": "prototype", "split": "test", "images": 5, "trained_on": 2, "validated_on": 3}
    ]
    broken, older = seen.notes
    assert broken.startswith("head broken is left out: ")
    assert older == "head older: what it was trained on is not known, an earlier version saved it"
    assert find_seen(tmp_path / "nowhere", splits).found == ()
