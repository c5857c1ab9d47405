"""Images that may be masks of their neighbours are told by name, with the option that leaves them out."""

from __future__ import annotations

import re

import pytest

from pipeline.images import open_images
from pipeline.images.source_options import SourceOptions

TOLD = re.compile(r"may be masks or copies .* \((\d+)\): .*; to leave them out, add --leave-out '(.*?)'(.*)")


def told(source):
    return {found[2]: int(found[1]) for note in source.notes if (found := TOLD.fullmatch(note))}


def numbered(*patterns, count=3):
    return [pattern.format(i) for i in range(count) for pattern in patterns]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (numbered("a/x_{}.jpg", "a/x_{}.png"), {"*.png": 3}),
        (numbered("a/x_{}.JPG", "a/x_{}.tif"), {"*.tif": 3}),
        (numbered("a/{}.jpg", "a/{}.CR2"), {"*.CR2": 3}),
        (numbered("a/x_{}.jpg", "a/x_{}_mask.png"), {"*_mask.*": 3}),
        (numbered("a/x_{}.png", "a/x_{}_mask.png", "a/x_{}_mask_1.png"), {"*_mask.*": 3, "*_mask*": 3}),
        (numbered("a/x_{}.jpg", "a/mask_x_{}.png"), {"mask_*": 3}),
        (numbered("a/x_{}.jpg", "a/x_{}-seg.png"), {"*-seg.*": 3}),
        (numbered("a/benign ({}).png", "a/benign ({})_mask.png"), {"*_mask.*": 3}),
        (numbered("a/{}_sat.jpg", "a/{}_image.png", "a/{}_GT.png"), {"*_GT.*": 3}),
        (numbered("a/{}.image.png", "a/{}.label.png"), {"*.label.*": 3}),
        (numbered("images/{}.jpg", "masks/{}.png"), {"masks": 3}),
        (numbered("a/images/{}.jpg", "a/labels/{}.png"), {"labels": 3}),
        (numbered("a/{}.jpg", "a/masks/{}_mask.png"), {"masks": 3}),
        (numbered("train/a/{}.jpg", "train/a_masks/{}.png"), {"a_masks": 3}),
    ],
)
def test_masks_beside_pictures_are_told(paths, expected, make_images, tmp_path):
    root = make_images(tmp_path, *paths, "b/other.jpg", *(["train/b/1.jpg"] * paths[0].startswith("train")))
    source = open_images(str(root))
    assert told(source) == expected
    without = open_images(str(root), SourceOptions(leave_out=tuple(expected)))
    assert told(without) == {}
    assert sum(one.count for one in without.left_out) >= bool(expected)
    assert len(source.items()) - len(without.items()) == sum(expected.values())


@pytest.mark.parametrize(
    "paths",
    [
        numbered("cat/{}.jpg", "dog/{}.jpg"),
        numbered("with_mask/{}.jpg", "without_mask/{}.jpg"),
        numbered("mask/{}.jpg", "no_mask/{}.jpg"),
        numbered("cat/cat.{}.jpg", "dog/dog.{}.jpg"),
        numbered("cat/mask_{}.jpg", "dog/label {}.jpg"),
        numbered("gt/{}_a.jpg", "rally/{}_b.jpg"),
        [*numbered("cat/x{}.jpg"), "cat/y.png"],
        numbered("cat/segment{}.jpg", "cat/{}.jpg"),
        numbered("edges/e{}.jpg", "faces/f{}.jpg"),
    ],
)
def test_names_that_only_sound_like_masks_are_not(paths, make_images, tmp_path):
    assert told(open_images(str(make_images(tmp_path, *paths)))) == {}


def test_a_pattern_that_names_more_than_the_twins_says_so(make_images, tmp_path):
    root = make_images(tmp_path, *numbered("a/{}.jpg", "a/{}.png"), "a/alone.png", "b/1.jpg")
    (note,) = open_images(str(root)).notes
    assert note.endswith("add --leave-out '*.png', which also names 1 that stand alone")
