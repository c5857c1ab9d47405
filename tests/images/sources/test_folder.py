from __future__ import annotations

import errno
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from pipeline.images.sources import open_source
from pipeline.serving import gather_images


def ids(source):
    return [item.id for item in source.items()]


def test_class_folders_without_splits(make_images, tmp_path):
    source = open_source(str(make_images(tmp_path / "pets", "dog/2.png", "cat/1.png", "cat/0.png")))
    assert source.uri == str(tmp_path / "pets")
    assert source.name == "pets"
    assert source.classes == ("cat", "dog")
    assert source.notes == ()
    assert ids(source) == ["cat/0.png", "cat/1.png", "dog/2.png"]
    assert [item.label for item in source.items()] == [0, 0, 1]
    assert {item.split for item in source.items()} == {None}
    assert source.items()[2].path == tmp_path / "pets" / "dog" / "2.png"


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "VALID", "Testing"),
        ("training_set", "validation", "test_set"),
        ("TRAIN", "validation_set", "Test"),
    ],
)
def test_split_folders_by_any_of_their_words(train, val, test, make_images, tmp_path):
    root = make_images(tmp_path, *(f"{split}/{kind}/1.png" for split in (test, val, train) for kind in "ab"))
    source = open_source(str(root))
    assert [item.split for item in source.items()] == ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    assert source.classes == ("a", "b")
    assert ids(source)[0] == f"{train}/a/1.png"


def test_classes_are_the_union_over_splits_in_natural_order(make_images, tmp_path):
    root = make_images(
        tmp_path,
        "train/img10/1.png",
        "train/img2/1.png",
        "train/Img1/1.png",
        "test/img2/1.png",
        "test/x/1.png",
    )
    source = open_source(str(root))
    assert source.classes == ("Img1", "img2", "img10", "x")
    assert [item.label for item in source.items()] == [0, 1, 2, 1, 3]
    assert source.notes == ()


def test_images_below_the_class_folder_belong_to_it(make_images, tmp_path):
    root = make_images(tmp_path, "a/deep/er/1.png", "a/0.png", "b/deep/2.png")
    assert ids(open_source(str(root))) == ["a/0.png", "a/deep/er/1.png", "b/deep/2.png"]


@pytest.mark.parametrize(
    "name", ["1.jpg", "1.JPEG", "1.Png", "1.webp", "1.TIF", "1.tiff", "1.bmp", "1.gif", "1.ppm"]
)
def test_images_are_known_by_their_suffix_in_any_case(name, make_images, tmp_path):
    assert ids(open_source(str(make_images(tmp_path, "a/0.png", f"a/{name}")))) == sorted(
        ["a/0.png", f"a/{name}"]
    )


def test_other_and_hidden_files_are_ignored_with_a_note(make_images, tmp_path):
    root = make_images(tmp_path, "a/1.png", "a/._1.png", ".git/1.png", "__MACOSX/a/1.png", "b/1.png")
    for name in ("a/notes.txt", "b/.DS_Store", "b/list.pdf", "README"):
        (root / name).write_text("x")
    source = open_source(str(root))
    assert ids(source) == ["a/1.png", "b/1.png"]
    assert source.classes == ("a", "b")
    assert source.notes == ()
    assert {one.line for one in source.left_out} == {
        "left out files that are no images (5): README, a/._1.png, a/notes.txt and 2 more",
        "left out hidden folders (1): .git",
        "left out folders of the system (1): __MACOSX",
    }


def test_folders_beside_split_folders_are_ignored_with_a_note(make_images, tmp_path):
    root = make_images(
        tmp_path, "training_set/a/1.png", "test_set/a/1.png", "single_prediction/x.png", "y.png"
    )
    source = open_source(str(root))
    assert ids(source) == ["training_set/a/1.png", "test_set/a/1.png"]
    assert [one.line for one in source.left_out] == [
        "left out folders beside the split folders (1): single_prediction",
        "left out images beside the split folders (1): y.png",
    ]


def test_images_beside_class_folders_are_ignored_with_a_note(make_images, tmp_path):
    names = ["train/a/1.png", "train/b/1.png", "train/2.png", "train/3.png"]
    source = open_source(str(make_images(tmp_path, *names)))
    assert ids(source) == names[:2]
    (left_out,) = source.left_out
    assert left_out.line == "left out images beside class folders (2): train/2.png, train/3.png"


def test_a_split_without_class_folders_is_unlabelled(make_images, tmp_path):
    source = open_source(
        str(make_images(tmp_path, "train/a/1.png", "train/b/1.png", "test/7.png", "test/10.png"))
    )
    assert [(item.id, item.label) for item in source.items() if item.split == "test"] == [
        ("test/10.png", -1),
        ("test/7.png", -1),
    ]
    assert source.classes == ("a", "b")
    assert source.notes == ()


def test_names_that_are_no_text_become_text(make_images, tmp_path):
    root = make_images(tmp_path, os.fsdecode(b"caf\xe9/\xff.png"), "tea/1.png")
    source = open_source(str(root))
    assert source.classes == ("caf\\xe9", "tea")
    assert ids(source)[0] == "caf\\xe9/\\xff.png"
    assert source.read(source.items()[0])


def test_pipes_and_devices_are_never_opened(make_images, tmp_path):
    root = make_images(tmp_path, "a/1.png")
    os.mkfifo(root / "a" / "2.png")
    source = open_source(str(root))
    assert ids(source) == ["a/1.png"]
    assert [one.line for one in source.left_out] == ["left out files that are no images (1): a/2.png"]
    (root / "a" / "1.png").unlink()
    os.mkfifo(root / "a" / "1.png")
    with pytest.raises(OSError, match="not a regular file"):
        source.read(source.items()[0])


def test_links_out_of_the_root_are_skipped_with_a_note(make_images, tmp_path):
    make_images(tmp_path / "secret", "x.png")
    root = make_images(tmp_path / "root", "a/1.png", "b/1.png")
    (root / "a" / "file.png").symlink_to(tmp_path / "secret" / "x.png")
    (root / "a" / "folder").symlink_to(tmp_path / "secret")
    (root / "c").symlink_to(tmp_path / "secret")
    (root / "a" / "broken.png").symlink_to(root / "nowhere.png")
    source = open_source(str(root))
    assert ids(source) == ["a/1.png", "b/1.png"]
    assert source.classes == ("a", "b")
    assert {one.line for one in source.left_out} == {
        "left out links to nothing (1): a/broken.png",
        "left out links out of the folder (3): a/file.png, a/folder, c",
    }


def test_links_within_the_root_are_followed_but_never_in_circles(make_images, tmp_path):
    root = make_images(tmp_path, "a/1.png", "b/2.png", "b/in/3.png")
    (root / "a" / "also.png").symlink_to(root / "b" / "2.png")
    (root / "a" / "of_b").symlink_to(root / "b" / "in")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a")
    (root / "b" / "in" / "to_a").symlink_to(root / "a")
    source = open_source(str(root))
    assert Counter(item.label for item in source.items() if not item.id.startswith("b/in/to_a")) == {
        0: 3,
        1: 2,
    }
    assert ids(source)[:3] == ["a/1.png", "a/also.png", "a/of_b/3.png"]
    assert len(ids(source)) < 10
    assert source.left_out[0].line.startswith("left out links back up (4): a/self, a/up, ")


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EIO, errno.ENOENT])
def test_a_link_that_cannot_be_read_is_passed_over(trouble, make_images, tmp_path, monkeypatch):
    root = make_images(tmp_path, "a/1.png", "b/1.png")
    (root / "a" / "odd.png").symlink_to("1.png")

    def failing(*_, **__):
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(os, "readlink", failing)
    assert ids(open_source(str(root))) == ["a/1.png", "b/1.png"]


def test_the_root_may_be_a_link_and_has_one_address(make_images, tmp_path, monkeypatch):
    make_images(tmp_path / "real", "a/1.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for uri in ("link", "real/", "./real/../real", "~/real"):
        assert open_source(uri).uri == str(tmp_path / "real")


def test_files_that_are_no_images_are_counted_once_and_the_first_are_named(make_images, tmp_path):
    root = make_images(tmp_path, "only/a/1.png", "only/b/1.png")
    for i in range(30):
        (root / "only" / f"{9 - i % 10}{i}.txt").touch()
        (root / "only" / "b" / f"{i}.txt").touch()
    source = open_source(str(root))  # its one folder is looked into for splits before it is listed
    (left_out,) = source.left_out
    assert left_out.line == (
        "left out files that are no images (60): only/019.txt, only/029.txt, only/09.txt and 57 more"
    )


def test_only_one_folder_of_names_is_in_memory(make_images, tmp_path):
    root = make_images(tmp_path, *(f"class{i}/1.png" for i in range(20)))
    for folder in root.iterdir():
        for i in range(300):
            (folder / f"a_rather_long_name_of_a_photograph_{i:05}.png").touch()
    tracemalloc.start()
    source = open_source(str(root))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source.items()) == 20 * 301
    assert kept / 6020 < 80
    assert peak / 6020 < 200


OWN = {
    "features_cache/x/pixels-8/spec.json": '{"weights_label": "none"}',
    "photos/pixels-8/spec.json": '{"weights_label": "none"}',
    "runs/x/pixels-8/evaluations.jsonl": '{"answers": "0"}',
    "runs/x/pixels-8/logreg/head.json": '{"feature_shape": [3]}',
    "runs/x/pixels-8/sweep/leaderboard.json": '{"chosen_on": "val"}',
}


@pytest.mark.parametrize("record", OWN)
def test_caches_and_runs_beside_class_folders_are_no_classes(record, make_images, tmp_path):
    make_images(tmp_path, "cat/0.png", "dog/0.png", str(Path(record).with_name("plot.png")))
    (tmp_path / record).write_text(OWN[record])
    source = open_source(str(tmp_path))
    assert (source.classes, len(source.items())) == (("cat", "dog"), 2)
    (left,) = source.left_out
    assert left.line == f"left out folders that this package made (1): {record.split('/')[0]}"
    assert len(gather_images([tmp_path]).items()) == 2


def test_a_class_with_a_record_of_another_program_stays_one(make_images, tmp_path):
    make_images(tmp_path, "cat/0.png", "dog/0.png", "runs/0.png")
    (tmp_path / "runs" / "spec.json").write_text('{"weights": 3}')
    assert open_source(str(tmp_path)).classes == ("cat", "dog", "runs")
