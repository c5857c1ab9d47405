"""Folders of images that the user says have no labels."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, open_images
from pipeline.images.manifest import scan
from pipeline.images.source_options import SourceOptions

UNLABELLED_ONES = SourceOptions(label_column="none")


def unlabelled(root, **more):
    return open_images(str(root), SourceOptions(label_column="none", **more))


def test_images_that_stand_directly_in_it_are_taken(make_images, tmp_path):
    source = unlabelled(make_images(tmp_path / "photos", "2.png", "1.png"))
    assert (source.name, source.classes, source.notes) == ("photos", (), ())
    assert [(item.id, item.label, item.split) for item in source.items()] == [
        ("1.png", UNLABELLED, None),
        ("2.png", UNLABELLED, None),
    ]
    assert source.read(source.items()[1]) == (tmp_path / "photos/2.png").read_bytes()


def test_other_folders_mean_nothing_and_that_is_said(make_images, tmp_path):
    source = unlabelled(make_images(tmp_path, "a.png", "monday/b.png", "tuesday/late/c.png"))
    assert [item.id for item in source.items()] == ["a.png", "monday/b.png", "tuesday/late/c.png"]
    assert source.classes == ()
    assert source.notes == ("folders that are not read as labels: monday, tuesday",)


def test_split_folders_keep_their_meaning(make_images, tmp_path):
    source = unlabelled(make_images(tmp_path, "train/a.png", "train/x/b.png", "test/c.png", "more/d.png"))
    assert {item.id: item.split for item in source.items()} == {
        "train/a.png": "train",
        "train/x/b.png": "train",
        "test/c.png": "test",
        "more/d.png": None,
    }
    assert source.notes == ("folders that are not read as labels: more",)


def test_an_image_has_the_split_that_it_has_once_it_is_labelled(make_images, tmp_path):
    names = [f"{i}.png" for i in range(40)]
    before = scan(unlabelled(make_images(tmp_path, *names)))
    (tmp_path / "next.csv").write_text(
        "path,label\n" + "\n".join(f"{name},{'ab'['1' in name]}" for name in names)
    )
    after = scan(open_images(str(tmp_path / "next.csv")))
    assert {split: set(rows.ids) for split, rows in before.splits.items()} == {
        split: set(rows.ids) for split, rows in after.splits.items()
    }
    assert len(before.splits) == 3


def test_what_is_left_out_is_the_same_as_with_labels(make_images, tmp_path):
    root = make_images(tmp_path, "a.png", "a_mask.png")
    (root / "notes.txt").write_text("x")
    source = unlabelled(root, leave_out=("*_mask.png", "nothing"))
    assert [item.id for item in source.items()] == ["a.png"]
    assert {one.count for one in source.left_out} == {1}
    assert source.notes == ("--leave-out 'nothing' names nothing here",)


@pytest.mark.parametrize(
    ("paths", "trouble"),
    [([], "holds no images"), (["train/a.png", "training/b.png"], "2 folders for the split train")],
)
def test_nothing_and_what_has_two_meanings_are_refused(paths, trouble, make_images, tmp_path):
    with pytest.raises(UsageError, match=trouble):
        list(unlabelled(make_images(tmp_path, *paths)).items())


def test_a_column_means_nothing_in_a_folder(make_images, tmp_path):
    root = make_images(tmp_path, "cat/a.png", "dog/b.png")
    with pytest.raises(UsageError, match=r"no columns.*leave it out.*--label-column none"):
        open_images(str(root), SourceOptions(label_column="kind"))


def test_a_remote_folder_is_read_in_the_same_way(make_images, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    root = make_images(tmp_path / "photos", "1.png", "2.png")
    fsspec.filesystem("memory").put(str(root), f"/{tmp_path.name}/photos", recursive=True)
    uri = f"memory://{tmp_path.name}/photos"
    with pytest.raises(UsageError, match="--label-column none"):
        open_images(uri)
    source = open_images(uri, UNLABELLED_ONES)
    assert [(item.id, item.label) for item in source.items()] == [
        ("1.png", UNLABELLED),
        ("2.png", UNLABELLED),
    ]
