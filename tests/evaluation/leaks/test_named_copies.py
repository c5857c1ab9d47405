"""File names that tell of copies, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks import find_leaks
from pipeline.evaluation.leaks.listed import read_name

Make = Callable[..., FeatureSet]
CHANNELS = 64
ORIGINAL = "cat12"
COPIES = (
    "aug_cat12.jpg",
    "AUG_cat12.png",
    "aug_3_cat12.jpg",
    "augmented_cat12.jpg",
    "flip-cat12.jpg",
    "cat12_aug.jpg",
    "cat12_aug_3.jpg",
    "cat12_augmented_2.jpg",
    "cat12-rot90.jpg",
    "cat12_rotated_90.jpg",
    "cat12_flip.jpg",
    "cat12_hflip.jpg",
    "cat12_flip_lr.jpg",
    "cat12_flip_rot90.jpg",
    "cat12_crop2.jpg",
    "cat12 mirrored.jpg",
    "copy of cat12.jpg",
    "Copy (2) of cat12.jpg",
    "cat12 - Copy.jpg",
    "cat12 copy 2.jpg",
    "cat12 (1).jpg",
    "cat12_0_1234.jpg",
    "cat12_2.jpg",
    "cat12-3.jpg",
    "cat12_jpg.rf.0123456789abcdef0123456789abcdef.jpg",
)
HONEST = (
    "cat.4126.jpg",
    "n02085620_7.jpg",
    "img_001.jpg",
    "augusta.jpg",
    "rotterdam_1.jpg",
    "cropland_7.jpg",
    "copyright.jpg",
    "00012",
    "cat (2) (b).jpg",
    "",
)


def splits_of(make: Make, names: dict[str, list[str]], **changes: object) -> dict[str, FeatureSet]:
    """Makes splits of unlike features, in which all rows are of one class."""
    made = {}
    for seed, (split, ids) in enumerate(names.items()):
        features = np.random.default_rng(seed).normal(size=(len(ids), CHANNELS)).astype(np.float32)
        one = make(features, np.zeros(len(ids)), split=split, classes=("cats", "dogs"), **changes)
        made[split] = replace(one, rows=replace(one.rows, ids=[f"{split}/cats/{name}" for name in ids]))
    return made


def found(splits: dict[str, FeatureSet], kinds: tuple[str, ...] = ("named", "augmented")) -> list[tuple]:
    return [(one.kind, one.first.id, one.second.id) for one in find_leaks(splits, kinds=kinds).findings]


@pytest.mark.parametrize("name", COPIES)
def test_the_name_of_a_copy_tells_its_original(name: str) -> None:
    assert ORIGINAL in read_name(f"train/cats/{name}").bases


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_in_another_split_is_found_wherever_the_original_stands(
    name: str, swapped: bool, make_features: Make
) -> None:
    sides = [["other.jpg", "cat12.jpg"], [name, *HONEST]]
    train, test = reversed(sides) if swapped else sides
    splits = splits_of(make_features, {"train": train, "test": test})
    copy = f"{'train' if swapped else 'test'}/cats/{name}"
    original = f"{'test' if swapped else 'train'}/cats/cat12.jpg"
    assert found(splits) == [("named", *sorted([original, copy], reverse=True))]


def test_names_that_tell_nothing_are_no_finding(make_features: Make) -> None:
    assert (
        found(
            splits_of(make_features, {"train": list(HONEST), "val": list(HONEST)[::-1], "test": list(HONEST)})
        )
        == []
    )


def test_copies_of_one_original_are_found_without_it(make_features: Make) -> None:
    roboflow = ["img_jpg.rf.00000000aa.jpg", "img_jpg.rf.11111111bb.jpg"]
    splits = splits_of(
        make_features, {"train": ["cat1_aug_1.jpg", roboflow[0]], "test": ["cat1_aug_2.jpg", roboflow[1]]}
    )
    assert len(found(splits)) == 2


def test_a_way_to_count_is_no_family(make_features: Make) -> None:
    names = {
        split: [f"cat_aug_{start + i}.jpg" for i in range(100)]
        for split, start in (("train", 0), ("test", 100))
    }
    assert found(splits_of(make_features, names)) == []


def test_windows_counts_in_brackets(make_features: Make) -> None:
    names = {
        "train": [f"cat ({i}).jpg" for i in range(1, 60)],
        "test": [f"cat ({i}).jpg" for i in range(60, 90)],
    }
    assert found(splits_of(make_features, names)) == []


def test_images_of_two_classes_are_not_copies(make_features: Make) -> None:
    splits = splits_of(make_features, {"train": ["1.jpg"], "test": ["1_flip.jpg"]})
    test = splits["test"]
    splits["test"] = replace(test, rows=replace(test.rows, labels=np.array([1], np.int32)))
    assert found(splits) == []
    splits["test"] = replace(test, rows=replace(test.rows, labels=np.array([-1], np.int32)))
    assert len(found(splits)) == 1


def test_like_features_confirm_a_name_and_count_as_leak(make_features: Make) -> None:
    names = [f"{i}.jpg" for i in range(200)]
    splits = splits_of(make_features, {"train": names, "test": ["7_flip.jpg", "8_flip.jpg", "stranger.jpg"]})
    train, test = splits["train"].features, splits["test"].features
    test[0] = train[7] + np.random.default_rng(9).normal(0, 0.05, CHANNELS)
    splits = {
        split: make_features(one.features, one.labels, split=split, rows=one.rows)
        for split, one in splits.items()
    }
    leaks = find_leaks(splits, kinds=("near", "named", "augmented"))
    assert [(one.kind, one.first.id, one.second.id, one.certain) for one in leaks.findings] == [
        ("augmented", "train/cats/7.jpg", "test/cats/7_flip.jpg", True),
        ("named", "train/cats/8.jpg", "test/cats/8_flip.jpg", False),
    ]
    assert leaks.findings[0].value > 0.75 > leaks.findings[1].value
    assert leaks.mask("test", splits["test"].rows.ids).tolist() == [True, False, False]


def test_of_several_partners_the_most_alike_is_named(make_features: Make) -> None:
    train = [f"x_aug_{i}.jpg" for i in range(4)] + [f"{i}.jpg" for i in range(100)]
    splits = splits_of(make_features, {"train": train, "test": ["x_aug_9.jpg"]})
    splits["test"].features[0] = splits["train"].features[2]
    splits = {
        split: make_features(one.features, one.labels, split=split, rows=one.rows)
        for split, one in splits.items()
    }
    (finding,) = find_leaks(splits, kinds=("near", "named", "augmented")).findings
    assert (finding.kind, finding.first.id) == ("augmented", "train/cats/x_aug_2.jpg")


def test_what_was_found_as_a_file_is_not_told_again_as_a_name(make_features: Make) -> None:
    splits = splits_of(make_features, {"train": ["a.jpg"], "test": ["a (1).jpg"]})
    splits["test"].rows.digests[:] = splits["train"].rows.digests
    assert found(splits, ("exact", "named")) == [("exact", "train/cats/a.jpg", "test/cats/a (1).jpg")]


def test_names_of_augmented_copies_are_counted_where_nothing_tells_their_originals(
    make_features: Make,
) -> None:
    names = {"train": ["aug_x1.jpg", "b.jpg"], "test": ["aug_y2.jpg", "z_rot90.jpg", "picture of a cat.jpg"]}
    leaks = find_leaks(splits_of(make_features, names), kinds=("named",))
    assert leaks.findings == ()
    assert leaks.notes == (
        "3 images are named like augmented copies (train 1, test 2; e.g. train/cats/aug_x1.jpg). Where a "
        "name does not tell the original, nothing here tells which split that is in",
    )


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("cat_3.jpg", ("cat",)),
        ("cat-12.jpg", ("cat",)),
        ("cat_0_1234.jpg", ("cat_0", "cat")),
        ("cat_1_2_3_4.jpg", ("cat_1_2_3", "cat_1_2", "cat_1")),
        ("cat_1234567.jpg", ("cat",)),
        ("cat_12345678.jpg", ()),
        ("cat_dog.jpg", ()),
        ("_3.jpg", ()),
    ],
)
def test_a_short_number_at_the_end_may_count_copies(name: str, bases: tuple[str, ...]) -> None:
    assert read_name(name).bases == bases
