from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks import find_leaks

Sets = Callable[..., dict[str, FeatureSet]]
LISTED = ("exact", "conflict", "group")


@pytest.fixture
def sets(make_features: Callable[..., FeatureSet]) -> Sets:
    """Makes splits of four rows each in which the given (split, row) hold one image."""

    def make(*same: tuple[str, int], **columns: dict[str, object]) -> dict[str, FeatureSet]:
        made = {}
        for split in ("train", "val", "test"):
            one = make_features(np.zeros((4, 2), np.float32), [0, 1, 0, 1], split=split)
            for other, row in same:
                if other == split:
                    one.rows.digests[row] = 7
            made[split] = replace(one, rows=replace(one.rows, **columns.get(split, {})))
        return made

    return make


def found(sets: dict[str, FeatureSet]) -> list[tuple[str, str, str]]:
    findings = find_leaks(sets, kinds=LISTED).findings
    return [(one.kind, one.first.id, one.second.id) for one in findings]


def test_different_images_are_no_leak(sets: Sets) -> None:
    leaks = find_leaks(sets(), kinds=LISTED)
    assert (leaks.findings, leaks.notes, leaks.repeated) == ((), (), {})
    assert leaks.checked == {"train": 4, "val": 4, "test": 4}


def test_an_image_in_three_splits_is_found_in_every_pair(sets: Sets) -> None:
    assert found(sets(("train", 0), ("val", 2), ("test", 0))) == [
        ("exact", "train/image0.png", "val/image2.png"),
        ("exact", "train/image0.png", "test/image0.png"),
        ("exact", "val/image2.png", "test/image0.png"),
    ]


def test_places_name_the_class(sets: Sets) -> None:
    (finding,) = find_leaks(sets(("train", 1), ("test", 3)), kinds=LISTED).findings
    assert (finding.first.split, finding.first.label) == ("train", "class1")
    assert (finding.second.split, finding.second.label) == ("test", "class1")


def test_two_labels_for_one_image_are_a_conflict_within_a_split_and_across(sets: Sets) -> None:
    assert found(sets(("train", 0), ("train", 1))) == [("conflict", "train/image0.png", "train/image1.png")]
    assert found(sets(("train", 0), ("test", 1))) == [
        ("exact", "train/image0.png", "test/image1.png"),
        ("conflict", "train/image0.png", "test/image1.png"),
    ]


def test_labels_are_compared_by_name(sets: Sets) -> None:
    made = sets(("train", 0), ("test", 1))
    made["test"] = replace(made["test"], classes=("class1", "class0"))
    assert [kind for kind, *_ in found(made)] == ["exact"]


def test_an_image_without_a_label_contradicts_nothing(sets: Sets) -> None:
    unlabelled = np.full(4, -1, np.int32)
    made = sets(("train", 0), ("test", 1), test={"labels": unlabelled})
    (finding,) = find_leaks(made, kinds=LISTED).findings
    assert (finding.kind, finding.second.label) == ("exact", "")


def test_repeats_inside_a_split_are_counted(sets: Sets) -> None:
    leaks = find_leaks(sets(("train", 0), ("train", 2)), kinds=LISTED)
    assert (leaks.findings, leaks.repeated) == ((), {"train": 1})


def test_a_group_in_two_splits_is_found_once_for_each_later_image(sets: Sets) -> None:
    groups = {"train": ["", "ann", "ann", "bob"], "test": ["ann", "", "eve", "ann"]}
    made = sets(**{split: {"groups": names} for split, names in groups.items()})
    assert found(made) == [
        ("group", "train/image1.png", "test/image0.png"),
        ("group", "train/image1.png", "test/image3.png"),
    ]


def test_views_are_no_images_of_their_own(sets: Sets) -> None:
    views = np.array([0, 1, 2, 0], np.uint8)
    leaks = find_leaks(sets(("train", 0), ("train", 1), train={"views": views}), kinds=LISTED)
    assert (leaks.checked["train"], leaks.repeated, leaks.findings) == (2, {}, ())


def test_a_single_split_is_looked_at_alone(sets: Sets) -> None:
    made = sets(("val", 0), ("val", 1))
    leaks = find_leaks({"val": made["val"]})
    assert [one.kind for one in leaks.findings] == ["conflict"]
    assert leaks.repeated == {"val": 1}


@pytest.mark.parametrize(
    ("target", "values", "told"),
    [
        ("labels", ((1, 0), (1, 1)), ("not b", "b")),
        ("labels", ((1, 0), (0, 1)), ("a, not b", "not a, b")),
        ("labels", ((1, 0), (1, 0)), None),
        ("labels", ((1, np.nan), (1, 1)), None),  # unknown contradicts nothing
        ("number", ((3, 5), (3.5, 5)), ("a 3", "a 3.5")),
    ],
)
def test_of_targets_a_conflict_names_those_that_differ(
    target: str, values: tuple[object, object], told: tuple[str, str] | None, sets: Sets
) -> None:
    made = {}
    for split, one in sets(("train", 0), ("test", 2)).items():
        targets = np.full((4, 2), np.nan, np.float32)
        targets[{"train": 0, "val": 1, "test": 2}[split]] = values[split == "test"]
        rows = replace(one.rows, targets=targets, labels=np.full(4, -1, np.int32))
        made[split] = replace(one, rows=rows, target=target, classes=("a", "b"))
    findings = {one.kind: one for one in find_leaks(made, kinds=LISTED).findings}
    assert "exact" in findings
    conflict = findings.get("conflict")
    assert (conflict and (conflict.first.label, conflict.second.label)) == told
