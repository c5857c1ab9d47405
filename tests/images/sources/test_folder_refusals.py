from __future__ import annotations

import os

import pytest

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import folder


def refuse(root, match):
    with pytest.raises(UsageError, match=match) as caught:
        folder.open_uri(str(root), SourceOptions())
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_refused(tmp_path):
    refuse(tmp_path / "nowhere", r"nowhere' does not exist: check the path")


def test_a_file_is_refused(tmp_path):
    (tmp_path / "x.png").touch()
    refuse(tmp_path / "x.png", r"x\.png is a file, not a folder of images: expected <class>/image\.jpg")


def test_an_empty_folder_is_refused(tmp_path):
    refuse(tmp_path, r"holds no images: expected <class>/image\.jpg or <split>/<class>/image\.jpg")


def test_images_without_class_folders_are_refused(make_images, tmp_path):
    refuse(
        make_images(tmp_path, "1.png"), r"no class folders: expected <class>/image\.jpg.*--label-column none"
    )


def test_a_split_folder_without_images_is_refused(make_images, tmp_path):
    root = make_images(tmp_path, "train/a/1.png")
    (root / "validation").mkdir()
    refuse(root, r"the val folder .*/validation holds no images: expected <class>/image\.jpg in it")


def test_a_split_of_empty_class_folders_is_refused(make_images, tmp_path):
    root = make_images(tmp_path, "train/a/1.png", "train/b/1.png")
    for kind in "ab":
        (root / "test" / kind / "deep").mkdir(parents=True)
    refuse(root, r"the test folder .*/test/a holds no images: expected <class>/image\.jpg in it")


def test_class_folders_that_are_all_empty_are_refused(tmp_path):
    for kind in "ab":
        (tmp_path / kind).mkdir()
    refuse(tmp_path, r"holds no images, in a/ and wherever else: expected <class>/image\.jpg")


def test_two_folders_for_one_split_are_refused(make_images, tmp_path):
    root = make_images(tmp_path, "train/a/1.png", "Validation/a/1.png", "val/a/1.png")
    refuse(root, r"has 2 folders for the split val: val, Validation; merge them")


def test_a_class_that_is_called_like_a_split_is_refused(make_images, tmp_path):
    root = make_images(tmp_path, "car/1.png", "plane/1.png", "train/1.png")
    refuse(root, r"train in .* may be a split or a class beside car, plane: put classes below split folders")


@pytest.mark.parametrize(("images", "closed"), [(["a/1.png"], "a"), (["a/1.png", "b/1.png"], "b")])
def test_a_folder_that_cannot_be_listed_is_refused(images, closed, make_images, tmp_path, monkeypatch):
    root = make_images(tmp_path, *images)
    scandir = os.scandir

    def locked(path):
        if str(path).endswith(f"{closed}/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    refuse(root, rf"^cannot list {root}/{closed}/: Permission denied; check its permissions$")
