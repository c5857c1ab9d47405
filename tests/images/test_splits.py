from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from reference_splits import plainly_assigned

from pipeline.errors import UsageError
from pipeline.images import ImageItem
from pipeline.images.image_list import list_images
from pipeline.images.splits import assign_splits


def draw(seed, count, *, groups=0, copies=0.0, splits=()):
    """Draws random items with digests: some in groups, some copies of others, some with stated splits."""
    rng = np.random.default_rng(seed)
    items, digests = [], []
    group_split: dict[str, str | None] = {}
    for i in range(count):
        group = f"g{rng.integers(groups)}" if groups and rng.random() < 0.6 else None
        split = str(rng.choice(splits)) if splits and rng.random() < 0.5 else None
        if group is not None:
            split = group_split.setdefault(group, split)
        items.append(ImageItem(f"{seed}/{i}", int(rng.integers(3)), split, group))
        copied = digests and rng.random() < copies
        digests.append(digests[rng.integers(len(digests))] if copied else rng.integers(0, 256, 32, np.uint8))
    return items, np.array(digests, np.uint8).reshape(-1, 32)


def test_stated_splits_are_kept():
    items, digests = draw(0, 300, splits=("train", "val", "test"))
    stated = [item.split for item in items]
    assert all(want in (None, got) for want, got in zip(stated, assign_splits(items, digests), strict=True))


def test_the_shares_hold_in_expectation_for_every_class():
    items, digests = draw(1, 9000)
    splits = assign_splits(items, digests)
    for label in range(3):
        share = Counter(split for item, split in zip(items, splits, strict=True) if item.label == label)
        total = share.total()
        assert share["train"] / total == pytest.approx(0.70, abs=0.03)
        assert share["val"] / total == pytest.approx(0.15, abs=0.03)
        assert share["test"] / total == pytest.approx(0.15, abs=0.03)


def test_the_choice_is_the_same_for_ever():
    digests = np.arange(10, dtype=np.uint8).repeat(32).reshape(10, 32)
    items = [ImageItem(str(i), 0) for i in range(10)]
    expected = ["train", "train", "test", "train", "train", "train", "val", "train", "train", "train"]
    assert assign_splits(items, digests) == expected


@pytest.mark.parametrize("seed", range(5))
def test_adding_removing_and_reordering_images_moves_no_other(seed):
    items, digests = draw(seed, 400, groups=30)
    before = dict(zip((item.id for item in items), assign_splits(items, digests), strict=True))
    more, more_digests = draw(seed + 100, 300, groups=30)
    all_items, all_digests = items[::2] + more, np.concatenate([digests[::2], more_digests])
    order = np.random.default_rng(seed).permutation(len(all_items))
    after = assign_splits([all_items[i] for i in order], all_digests[order])
    for i, split in zip(order, after, strict=True):
        assert before.get(all_items[i].id, split) == split


def test_names_and_labels_play_no_part():
    items, digests = draw(3, 100)
    renamed = [ImageItem(f"other/{item.id}", 7) for item in items]
    assert assign_splits(items, digests) == assign_splits(renamed, digests)


@pytest.mark.parametrize("seed", range(5))
def test_neither_groups_nor_identical_images_straddle(seed):
    items, digests = draw(seed, 500, groups=60, copies=0.2)
    splits_of = defaultdict(set)
    for item, digest, split in zip(items, digests, assign_splits(items, digests), strict=True):
        splits_of[digest.tobytes()].add(split)
        if item.group:
            splits_of[item.group].add(split)
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_images_follow_the_stated_split_of_their_group_or_copy():
    digests = np.array([[0] * 32, [1] * 32, [2] * 32, [2] * 32, [3] * 32, [3] * 32], np.uint8)
    items = [
        ImageItem("a", 0, "test", "g"),
        ImageItem("b", 0, None, "g"),
        ImageItem("c", 0, "val"),
        ImageItem("copy of c", 0),
        ImageItem("d", 0, "test"),
        ImageItem("copy of d in a group", 0, None, "h"),
    ]
    assert assign_splits(items, digests) == ["test", "test", "val", "val", "test", "test"]


def test_a_copy_of_images_in_two_stated_splits_stays_out_of_test():
    digests = np.zeros((3, 32), np.uint8)
    items = [
        ImageItem("a", 0, "test"),
        ImageItem("b", 0, "train"),
        ImageItem("c", 0),
        ImageItem("v", 0, "val"),
    ]
    digests = np.concatenate([digests, np.ones((1, 32), np.uint8)])
    assert assign_splits(items, digests) == ["test", "train", "train", "val"]


@pytest.mark.parametrize("stated", [("train", "test"), ("train",)])
def test_val_is_carved_out_of_train(stated):
    items, digests = draw(5, 4000)
    items = [ImageItem(item.id, 0, stated[i % len(stated)]) for i, item in enumerate(items)]
    splits = assign_splits(items, digests)
    of_train = Counter(new for item, new in zip(items, splits, strict=True) if item.split == "train")
    assert of_train["val"] / of_train.total() == pytest.approx(0.15 / 0.85, abs=0.03)
    assert all(new == "test" for item, new in zip(items, splits, strict=True) if item.split == "test")
    half = assign_splits(items[: len(items) // 2], digests[: len(items) // 2])
    assert half == splits[: len(items) // 2]


@pytest.mark.parametrize("seed", range(3))
def test_carving_keeps_groups_and_copies_together(seed):
    items, digests = draw(seed, 500, groups=60, copies=0.2)
    items = [ImageItem(item.id, 0, "train", item.group) for item in items]
    splits_of = defaultdict(set)
    for item, digest, split in zip(items, digests, assign_splits(items, digests), strict=True):
        splits_of[digest.tobytes()].add(split)
        splits_of[item.group or item.id].add(split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert {"train", "val"} == {split for splits in splits_of.values() for split in splits}


@pytest.mark.parametrize("stated", [("val",), ("test",), ("val", "test"), ("train", "val")])
def test_nothing_is_carved_from_other_splits(stated):
    items, digests = draw(6, 200)
    items = [ImageItem(item.id, 0, stated[i % len(stated)]) for i, item in enumerate(items)]
    assert assign_splits(items, digests) == [item.split for item in items]


def test_a_group_in_two_stated_splits_is_refused():
    items = [ImageItem("a", 0, "test", "patient 7"), ImageItem("b", 0, "train", "patient 7")]
    with pytest.raises(UsageError, match=r"group 'patient 7' has images in train and test"):
        assign_splits(items, np.zeros((2, 32), np.uint8))


def test_group_names_may_be_any_text():
    items = [ImageItem("a", 0, None, "caf\udce9"), ImageItem("b", 0, None, "")]
    assert len(assign_splits(items, np.zeros((2, 32), np.uint8))) == 2


def test_no_images_have_no_splits():
    assert assign_splits([], np.zeros((0, 32), np.uint8)) == []


STATED = [(), ("train",), ("train", "test"), ("train", "val", "test"), ("val", "test")]


@pytest.mark.parametrize("copies", [0.0, 0.3])
@pytest.mark.parametrize("groups", [0, 3, 60])
@pytest.mark.parametrize("stated", STATED, ids="-".join)
def test_columns_are_assigned_as_images_one_by_one(stated, groups, copies):
    for seed, count in enumerate((1, 2, 7, 60, 400)):
        items, digests = draw(seed, count, groups=groups, copies=copies, splits=stated)
        expected = plainly_assigned(items, digests)
        assert assign_splits(items, digests) == expected
        assert assign_splits(list_images(items)[::-1], digests[::-1]) == expected[::-1]


@pytest.mark.parametrize("seed", range(20))
def test_names_of_groups_are_compared_as_texts(seed):
    rng = np.random.default_rng(seed)
    names = ["", "B", "a", "é", "caf\udce9", "\uffff", "\U0001f600", None]
    items = [ImageItem(str(i), 0, None, names[rng.integers(len(names))]) for i in range(60)]
    digests = rng.integers(0, 50, (60, 1), np.uint8).repeat(32, axis=1)
    assert assign_splits(items, digests) == plainly_assigned(items, digests)


def test_of_several_groups_that_straddle_the_first_is_named():
    items = [
        ImageItem("a", 0, None, "z"),
        ImageItem("b", 0, "val", "m"),
        ImageItem("c", 0, "test", "z"),
        ImageItem("d", 0, "train", "z"),
        ImageItem("e", 0, "train", "m"),
        ImageItem("f", 0, "test", "m"),
    ]
    with pytest.raises(UsageError, match=r"group 'm' has images in train and val and test"):
        assign_splits(items, np.arange(6, dtype=np.uint8).repeat(32).reshape(6, 32))
