"""Folders as people have them: what is understood, what is said of it, and what is refused."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from pipeline.errors import UsageError
from pipeline.images import open_images, remarks_on
from pipeline.images.source_options import SourceOptions


def understood(source):
    """Counts images by split and class."""
    return Counter(
        (item.split, source.classes[item.label] if item.label >= 0 else None) for item in source.items()
    )


def refusal(root, **options):
    with pytest.raises(UsageError) as caught:
        open_images(str(root), SourceOptions(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(*folders, kinds="ab"):
    return [f"{folder}/{kind}/{i}.png" for folder in folders for kind in kinds for i in range(2)]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train_data", "valid_data", "test_data"),
        ("train_images", "valid", "testing"),
        ("Train", "validation_set", "TEST"),
        ("images-train", "images-val", "images-test"),
        ("Training Images", "Validation Images", "Test Images"),
        ("train2017", "val2017", "test2017"),
        ("trainset", "valset", "testset"),
        ("1_train", "2_val", "3_test"),
        ("trn", "vld", "tst"),
        ("train", "dev", "test"),
        ("resized_train_cropped", "val_v2", "test_final"),
    ],
)
def test_split_folders_by_what_people_call_them(train, val, test, make_images, tmp_path):
    source = open_images(str(make_images(tmp_path, *names(train, val, test))))
    assert understood(source) == {(split, kind): 2 for split in ("train", "val", "test") for kind in "ab"}
    if (train, val) == ("Train", "validation_set"):
        assert source.notes == ()
    elif train == "train_data":
        assert source.notes == (
            "folders taken for splits: train_data = train, valid_data = val, test_data = test",
        )


@pytest.mark.parametrize(
    ("folders", "match"),
    [
        (["cats_train", "cats_test", "dogs_train", "dogs_test"], "look like splits, but say more: cats_test"),
        (["trainA", "trainB", "testA", "testB"], "look like splits, but say more"),
        (["traincats", "testcats"], "look like splits, but say more"),
        (["seg_train", "seg_test"], "look like splits, but say more"),
        (["fold_1", "fold_2", "fold_3"], "look like folds"),
        (["train", "train_2"], "2 folders for the split train"),
        (["train", "my_test_pictures_of_june"], r"others that may be splits \(my_test_pictures_of_june\)"),
        (["train", "eval"], r"others that may be splits \(eval\)"),
    ],
)
def test_folders_that_may_be_splits_are_refused_by_name(folders, match, make_images, tmp_path):
    root = make_images(tmp_path, *(f"{folder}/{kind}/1.png" for folder in folders for kind in "ab"))
    with pytest.raises(UsageError, match=match):
        open_images(str(root))


@pytest.mark.parametrize("other", ["train_of_june", "single_prediction", "extra"])
def test_other_folders_beside_splits_are_left_out_and_said(other, make_images, tmp_path):
    source = open_images(str(make_images(tmp_path, *names("train", "test"), f"{other}/1.png")))
    assert {split for split, _ in understood(source)} == {"train", "test"}
    assert remarks_on(source) == [f"left out folders beside the split folders (1): {other}"]


@pytest.mark.parametrize(
    "classes",
    [
        ["contest", "protest"],
        ["test_tube", "beaker"],
        ["trainer", "sandal"],
        ["dev", "design"],
        ["development", "marketing"],
        ["evaluation", "report"],
        ["trained", "untrained"],
        ["validators", "users"],
        ["data", "images"],
        ["2017", "2018"],
    ],
)
def test_classes_whose_names_remind_of_splits_are_classes(classes, make_images, tmp_path):
    source = open_images(str(make_images(tmp_path, *(f"{kind}/1.png" for kind in classes))))
    assert sorted(source.classes) == sorted(classes)
    assert {item.split for item in source.items()} == {None}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (
            ["cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"],
            {(split, kind): 1 for split in ("train", "test") for kind in ("cat", "dog")},
        ),
        (
            ["cat/Training/1.png", "cat/valid/deep/2.png", "dog/training_set/3.png", "dog/TEST/4.png"],
            {("train", "cat"): 1, ("val", "cat"): 1, ("train", "dog"): 1, ("test", "dog"): 1},
        ),
        (
            ["cat/train/1.png", "dog/train/1.png", "dog/test/1.png"],
            {("train", "cat"): 1, ("train", "dog"): 1, ("test", "dog"): 1},
        ),
        (  # a train is a vehicle
            ["boat/1.png", "vehicle/train/2.png", "vehicle/car/3.png"],
            {(None, "boat"): 1, (None, "vehicle"): 2},
        ),
        (["a/deep/1.png", "b/er/2.png"], {(None, "a"): 1, (None, "b"): 1}),
        (["train/train/a/1.png", "train/train/b/2.png"], {("train", "a"): 1, ("train", "b"): 1}),
    ],
)
def test_layouts(paths, expected, make_images, tmp_path):
    source = open_images(str(make_images(tmp_path, *paths)))
    assert understood(source) == expected
    stated = {split for split, _ in expected} != {None}
    assert bool(source.notes) is (stated or any("/train/" in path for path in paths))


@pytest.mark.parametrize(
    "paths",
    [
        ["cat/1.png", "dog/train/2.png", "dog/test/3.png"],
        ["cat/train/1.png", "cat/test/2.png", "dog/3.png"],
        ["cat/train/1.png", "cat/test/2.png", "cat/3.png", "dog/train/4.png", "dog/test/5.png"],
        ["cat/train/1.png", "cat/test/2.png", "cat/extra/3.png", "dog/train/4.png", "dog/test/5.png"],
    ],
)
def test_split_folders_in_some_of_the_classes_are_refused(paths, make_images, tmp_path):
    message = refusal(make_images(tmp_path, *paths))
    assert "holds split folders (" in message
    assert "--leave-out" in message


@pytest.mark.parametrize("wrap", ["PetImages", "a/b/PetImages"])
def test_one_level_too_high_names_the_folder_to_give(wrap, make_images, tmp_path):
    root = make_images(tmp_path, *(f"{wrap}/{kind}/1.png" for kind in ("Cat", "Dog")))
    (root / "readme.txt").write_text("x")
    source = open_images(str(root))
    (note,) = source.notes
    assert note.startswith(f"one class only, {wrap.partition('/')[0]!r}, which nothing can be told from")
    assert note.endswith(f"if its folders are the classes (Cat, Dog), give {root}/{wrap}")
    assert open_images(f"{root}/{wrap}").notes == ()


@pytest.mark.parametrize("wrap", ["pets", "a/b"])
def test_splits_further_down_are_pointed_out(wrap, make_images, tmp_path):
    root = make_images(tmp_path, *names(f"{wrap}/train", f"{wrap}/test"))
    assert f"further down: give {root}/{wrap}" in refusal(root)


def test_classes_further_down_in_each_split_are_pointed_out(make_images, tmp_path):
    root = make_images(tmp_path, *names("train/images", "test/images"))
    (root / "train" / "labels").mkdir()
    notes = " ".join(open_images(str(root)).notes)
    assert "one class only, 'images'" in notes
    assert "if its folders are the classes (a, b), move them up" in notes


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (["Cat", "cat", "dog"], "'Cat', 'cat'"),
        (["1", "1.0", "2"], "'1', '1.0'"),
        (["caf\u00e9", "cafe\u0301"], "differ in their spelling only"),
        (["cat", "cats"], ""),
    ],
)
def test_spellings_are_kept_apart_with_one_note(classes, told, make_images, tmp_path):
    source = open_images(str(make_images(tmp_path, *(f"{kind}/1.png" for kind in classes))))
    assert set(source.classes) == set(classes)
    assert len(source.notes) == bool(told)
    assert told in "".join(source.notes)


@pytest.mark.parametrize(
    ("empty", "classes", "told"),
    [
        ("val/bird", ("bird", "cat"), None),  # the counts of `extract` tell
        ("val/fish", ("bird", "cat"), "class folders without images, which are no classes: fish"),
        ("train/fish/deep", ("bird", "cat"), "class folders without images, which are no classes: fish"),
    ],
)
def test_an_empty_class_folder_is_allowed_with_a_note(empty, classes, told, make_images, tmp_path):
    root = make_images(tmp_path, "train/bird/1.png", "train/cat/1.png", "val/cat/1.png")
    (root / empty).mkdir(parents=True)
    source = open_images(str(root))
    assert source.classes == classes
    assert list(source.notes) == ([told] if told else [])
    assert understood(source) == {("train", "bird"): 1, ("train", "cat"): 1, ("val", "cat"): 1}


def test_labels_stay_right_where_a_class_before_them_is_empty(make_images, tmp_path):
    root = make_images(tmp_path, "b/1.png", "c/1.png")
    (root / "a").mkdir()
    source = open_images(str(root))
    assert source.classes == ("b", "c")
    assert [item.label for item in source.items()] == [0, 1]


def test_what_systems_and_programs_leave_behind_is_left_out_and_said(make_images, tmp_path):
    root = make_images(
        *(tmp_path, "a/1.png", "b/1.png", "__MACOSX/a/._1.png", "a/.ipynb_checkpoints/1.png"),
        *("a/@eaDir/1.png", ".hidden/1.png", "a/._1.png", "a/2.png~", "a/3.png.part"),
    )
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "b/labels.csv", "a/.4.png.icloud"):
        (root / name).write_text("x")
    source = open_images(str(root))
    assert [item.id for item in source.items()] == ["a/1.png", "b/1.png"]
    assert source.notes == ()
    assert {(one.what, one.count) for one in source.left_out} == {
        ("folders of the system", 2),
        ("hidden folders", 2),
        ("backups and unfinished downloads", 2),
        ("images that are not on this machine", 1),
        ("files that are no images", 5),
    }
    assert "left out hidden folders (2): .hidden, a/.ipynb_checkpoints" in remarks_on(source)


@pytest.fixture
def snapshot(make_images, tmp_path):
    """A folder of links to files elsewhere, as hubs, DVC and git-annex make them."""
    make_images(tmp_path / "blobs", "cat/0", "cat/1", "dog/0", "dog/1")
    for blob in (tmp_path / "blobs").glob("*/*"):
        link = tmp_path / "data" / blob.parent.name / f"{blob.name}.png"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return tmp_path / "data"


def test_a_folder_of_links_says_so_and_is_read_on_demand(snapshot):
    message = refusal(snapshot)
    assert (
        "links out of the folder (4): cat/0.png, cat/1.png, dog/0.png and 1 more are not followed" in message
    )
    assert "--follow-links" in message
    source = open_images(str(snapshot), SourceOptions(follow_links=True))
    assert understood(source) == {(None, "cat"): 2, (None, "dog"): 2}
    assert source.left_out == ()
    assert source.read(source.items()[0]) == (snapshot / "../blobs/cat/0").read_bytes()


def test_links_to_class_folders(snapshot, tmp_path):
    (tmp_path / "linked").mkdir()
    for kind in ("cat", "dog"):
        (tmp_path / "linked" / kind).symlink_to(tmp_path / "data" / kind)
    assert "links out of the folder (2): cat, dog" in refusal(tmp_path / "linked")
    source = open_images(str(tmp_path / "linked"), SourceOptions(follow_links=True))
    assert understood(source) == {(None, "cat"): 2, (None, "dog"): 2}


def test_loops_and_broken_links_are_left_out_whether_links_are_followed_or_not(snapshot, tmp_path):
    (snapshot / "cat" / "self").symlink_to(snapshot / "cat")
    (snapshot / "cat" / "up").symlink_to(tmp_path)
    (snapshot / "cat" / "ring.png").symlink_to("ring.png")
    (snapshot / "dog" / "gone.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "blobs" / "loop").symlink_to(tmp_path / "blobs")
    (snapshot / "dog" / "blobs").symlink_to(tmp_path / "blobs")
    source = open_images(str(snapshot), SourceOptions(follow_links=True))
    assert understood(source) == {(None, "cat"): 2, (None, "dog"): 6}
    assert {(one.what, one.count) for one in source.left_out} == {
        ("links back up", 4),
        ("links to nothing", 1),
    }
    shutil.rmtree(tmp_path / "blobs")
    message = refusal(snapshot, follow_links=True)
    assert "links to nothing (6)" in message
    assert "`dvc pull`" in message


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (("*_mask.png",), ["a/1.png", "a/masks/2.png", "b/1.png"]),
        (("masks",), ["a/1.png", "a/1_mask.png", "b/1.png"]),
        (("masks/", "./a/1_mask.png"), ["a/1.png", "b/1.png"]),
        (("a/*",), ["b/1.png"]),
        (("b",), ["a/1.png", "a/1_mask.png", "a/masks/2.png"]),
        (("B", "mask"), ["a/1.png", "a/1_mask.png", "a/masks/2.png", "b/1.png"]),
    ],
)
def test_patterns_leave_files_and_folders_out(patterns, left, make_images, tmp_path):
    root = make_images(tmp_path, "a/1.png", "a/1_mask.png", "a/masks/2.png", "b/1.png")
    source = open_images(str(root), SourceOptions(leave_out=patterns))
    assert [item.id for item in source.items()] == left
    unused = [
        pattern for pattern in patterns if f"--leave-out {pattern!r} names nothing here" in source.notes
    ]
    assert len(source.left_out) == len(patterns) - len(unused)
    assert len(unused) == 2 * (patterns == ("B", "mask"))
