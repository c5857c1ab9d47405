"""Arrays as people have them: of each family of oddities, what is right."""

from __future__ import annotations

import warnings
import zipfile

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images.decode import decode
from pipeline.images.sources import open_source

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 7, 3), np.uint8)
LABELS = np.array([0, 1, 0, 1, 2, 0])


@pytest.fixture
def npz(tmp_path):
    """Writes arrays and returns the file's path as text."""

    def write(*arrays, **named):
        np.savez(tmp_path / "toy.npz", *arrays, **named)
        return str(tmp_path / "toy.npz")

    return write


def labels(source):
    return [item.label for item in source.items()]


NONE = "taken for none"
MINUS_ONE = {
    "minus and plus": ([-1, 1, -1, 1, 1, -1], ("-1", "1"), [0, 1, 0, 1, 1, 0], "-1 is a class, beside 1"),
    "five steps": ([-2, -1, 0, 1, 2, 2], ("-2", "-1", "0", "1", "2"), [0, 1, 2, 3, 4, 4], "-1 is a class"),
    "two beside 0, 1": (
        [-1, 0, 1, 1, 0, -1],
        ("0", "1"),
        [-1, 0, 1, 1, 0, -1],
        "2 rows have no label: '-1' (2)",
    ),
    "one beside 0": ([0, 0, 0, -1, 0, 0], ("0",), [0, 0, 0, -1, 0, 0], "1 row has no label: '-1' (1)"),
    "one beside 5, 7": ([5, 7, -1, 5, 5, 5], ("5", "7"), [0, 1, -1, 0, 0, 0], "1 row has no label: '-1' (1)"),
    "nothing else": ([-1] * 6, (), [-1] * 6, "6 rows have no label: '-1' (6)"),
}


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32])
@pytest.mark.parametrize("case", MINUS_ONE)
def test_minus_one_is_a_class_or_none_and_said(case, dtype, npz):
    given, classes, expected, note = MINUS_ONE[case]
    source = open_source(npz(x=PIXELS, y=np.array(given, dtype)))
    assert source.classes == classes
    assert labels(source) == expected
    assert len(source.notes) == 1
    assert source.notes[0].startswith(note)


def test_minus_one_is_judged_over_all_splits(npz):
    source = open_source(npz(x_train=PIXELS, y_train=[-1, 1] * 3, x_test=PIXELS, y_test=[0, 1] * 3))
    assert source.classes == ("0", "1")
    assert labels(source) == [-1, 1] * 3 + [0, 1] * 3


def test_minus_and_plus_one_are_no_positions_in_names(npz):
    with pytest.raises(UsageError, match=r"labels -1, 1 are no positions in the 2 names of classes"):
        open_source(npz(x=PIXELS, y=[-1, 1] * 3, classes=["no", "yes"]))


def test_other_splits_without_labels_count_for_nothing(npz):
    source = open_source(npz(x_train=PIXELS, y_train=LABELS, x_test=PIXELS))
    assert source.notes == ("x_test has no labels",)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
def test_one_column_a_class(dtype, npz):
    source = open_source(npz(x=PIXELS, y=np.eye(4, dtype=dtype)[LABELS]))
    assert source.classes == ("0", "1", "2", "3"), "a column without rows is a class, too"
    assert labels(source) == LABELS.tolist()
    assert source.notes == ("labels of x are one column a class: 4 classes",)


def test_one_column_a_class_with_names(npz):
    columns = np.eye(3, dtype=np.uint8)[LABELS]
    columns[5] = 0
    source = open_source(npz(x=PIXELS, y=columns, classes=["a", "b", "c"]))
    assert source.classes == ("a", "b", "c")
    assert labels(source) == [0, 1, 0, 1, 2, -1]
    assert source.notes[1] == "1 row has no label"


def test_probabilities(npz):
    source = open_source(npz(x=PIXELS, y=np.float32([[0.7, 0.3], [0.1, 0.9]] * 3)))
    assert labels(source) == [0, 1] * 3
    assert source.notes == ("labels of x are probabilities, of which the greatest counts: 2 classes",)


COLUMNS = {
    "row 0 of the labels of x has 2 greatest probabilities": np.full((6, 2), 0.5),
    r"have shape \(6, 2\) and are neither": np.float32([[2.5, -1]] * 6),
    r"have shape \(6, 3\) and are neither": np.where(np.eye(3, dtype=int)[LABELS], 1, -1),
    r"\(6, 4\) and are neither": np.full((6, 4), np.nan),
    r"labels have shape \(6, 2\)": np.array([["a", "b"]] * 6),
    r"labels have shape \(6, 2, 2\)": np.zeros((6, 2, 2), int),
    r"labels have shape \(5, 3\)": np.eye(3)[LABELS[:5]],
    r"labels have shape \(\)": np.array(1),
}


@pytest.mark.parametrize("trouble", COLUMNS)
def test_other_columns_are_refused(trouble, npz):
    with pytest.raises(UsageError, match=trouble):
        open_source(npz(x=PIXELS, y=COLUMNS[trouble]))


def test_numbers_of_classes_that_differ_are_refused(npz):
    two, three = np.eye(2)[LABELS % 2], np.eye(3)[LABELS]
    with pytest.raises(UsageError, match=r"differ: 3 in x_train, 2 in x_test"):
        open_source(npz(x_train=PIXELS, y_train=three, x_test=PIXELS, y_test=two))
    with pytest.raises(UsageError, match=r"differ: 4 in the names of the classes, 3 in x"):
        open_source(npz(x=PIXELS, y=three, classes=list("abcd")))


@pytest.mark.parametrize("shape", [(6,), (6, 1), (1, 6)])
@pytest.mark.parametrize("dtype", [np.uint8, ">i2", np.uint64, np.float16, "U3", "S3"])
def test_kinds_of_labels(dtype, shape, npz):
    source = open_source(npz(x=PIXELS, y=LABELS.astype(dtype).reshape(shape)))
    assert labels(source) == LABELS.tolist()
    assert source.notes == ()
    assert source.classes in (("0", "1", "2"), ("0.0", "1.0", "2.0"))


def test_truth_values_are_classes(npz):
    source = open_source(npz(x=PIXELS, y=LABELS > 0))
    assert (source.classes, labels(source)) == (("0", "1"), [0, 1, 0, 1, 1, 0])
    assert open_source(npz(x=PIXELS, y=LABELS > 0, classes=["no", "yes"])).classes == ("no", "yes")


def test_floats_may_lack_some(npz):
    source = open_source(npz(x=PIXELS, y=[1, 2, np.nan, 1, np.nan, 2]))
    assert (source.classes, labels(source)) == (("1", "2"), [0, 1, -1, 0, -1, 1])
    assert source.notes[0].startswith(f"2 rows have no label: 'NaN' (2) is {NONE}")


@pytest.mark.parametrize("spelling", ["nan", "None", "", "N/A", " ", "nan "])
@pytest.mark.parametrize("kind", ["U", "S"])
def test_texts_may_lack_some(kind, spelling, npz):
    source = open_source(npz(x=PIXELS, y=np.array(["a", "b", "a", spelling, "b", "a"], kind)))
    assert (source.classes, labels(source)) == (("a", "b"), [0, 1, 0, -1, 1, 0])
    assert source.notes[0].startswith("1 row has no label")


def test_a_name_of_the_classes_is_never_missing(npz):
    source = open_source(npz(x=PIXELS[:2], y=["None", "mild"], classes=["None", "mild"]))
    assert (labels(source), source.notes) == ([0, 1], ())


REFUSED = {
    "labels of x are float64 and hold 0.5: .*to be estimated give --target number": {"y": LABELS + 0.5},
    "labels of x are float64 and hold inf": {"y": [1, 2, np.inf, 1, 1, 1]},
    "labels of x are float64 and hold 1e[+]300": {"y": [1e300] * 6},
    r"labels of x are datetime64": {"y": np.array(["2020-01-01"] * 6, "datetime64[D]")},
    r"labels of x are \[\('a'": {"y": np.zeros(6, [("a", "i4"), ("b", "f4")])},
    "y holds Python objects: .*as y.astype": {"y": np.array(["a", None] * 3, object)},
    "classes holds Python objects": {"y": LABELS, "classes": np.array(["a", None], object)},
    "bytes and not UTF-8 text": {"y": np.array([b"\xff", b"\xfe"] * 3)},
    "classes holds bytes that are not UTF-8": {"y": LABELS, "classes": np.array([b"\xff", b"a", b"b"])},
    "label of x is not valid text": {"y": np.array(["\ud800", "a"] * 3)},
    "label 3 of x is none of the 3 classes, which count from 0": {"y": LABELS + 1, "classes": list("abc")},
    "label 2 of x is none of the 2 classes$": {"y": LABELS, "classes": list("ab")},
    "names of the classes hold 'a' 2 times": {"y": LABELS, "classes": list("aba")},
    "names of the classes hold an empty name": {"y": LABELS, "classes": ["a", "", "b"]},
    "'classes' and 'class_names' could both be the names": {
        "y": LABELS,
        "classes": list("abc"),
        "class_names": list("abc"),
    },
    r"x has 6 images, but its labels have shape \(7,\)": {"y": [0] * 7},
}


@pytest.mark.parametrize("trouble", REFUSED)
def test_labels_that_do_not_fit_are_refused(trouble, npz):
    with pytest.raises(UsageError, match=trouble) as caught:
        open_source(npz(x=PIXELS, **REFUSED[trouble]))
    assert "\n" not in str(caught.value)


def test_names_may_be_bytes(npz):
    assert open_source(npz(x=PIXELS, y=LABELS, classes=np.array([b"a", b"b", b"c"]))).classes == (
        "a",
        "b",
        "c",
    )


REMARKS = {
    "is the largest uint8 and a class like the others": np.uint8([0, 1, 255, 1, 0, 1]),
    "is the largest uint64 and a class": np.array([0, 1, 2**64 - 1, 1, 0, 1], np.uint64),
    "differ in their spelling only are kept apart: 'Cat', 'cat'": np.array(["Cat", "cat"] * 3),
    "'cat', 'cat '": np.array(["cat ", "cat"] * 3),
    "one class each": np.array(["cat;dog", "cat"] * 3),
}


@pytest.mark.parametrize("remark", REMARKS)
def test_labels_that_may_not_be_meant_are_noted(remark, npz):
    source = open_source(npz(x=PIXELS, y=REMARKS[remark]))
    assert len(source.notes) == 1
    assert remark in source.notes[0]
    assert len(source.classes) == len(np.unique(REMARKS[remark]))


def test_a_label_for_nearly_every_image_is_noted(npz):
    source = open_source(npz(x=np.zeros((40, 4, 5), np.uint8), y=np.arange(40) * 7))
    assert source.notes[0].startswith("40 classes in 40 labelled rows: is this a column of ids")


SETS = {
    "MedMNIST": ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
    "upper case": ("X_train", "Y_train", "X_val", "Y_val", "X_test", "Y_test"),
    "mixed": ("X_train", "y_train", "X_valid", "y_valid", "X_test", "y_test"),
    "dev": ("x_train", "y_train", "x_dev", "y_dev", "x_test", "y_test"),
    "validation": ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test"),
    "turned": ("images_train", "targets_train", "images_val", "targets_val", "images_test", "targets_test"),
    "run together": ("Xtrain", "ytrain", "Xval", "yval", "Xtest", "ytest"),
    "data": ("train_data", "train_labels", "val_data", "val_labels", "test_data", "test_labels"),
}


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_names_of_three_splits(names, npz):
    values = [part for k in range(3) for part in (PIXELS[2 * k : 2 * k + 2], LABELS[2 * k : 2 * k + 2])]
    source = open_source(npz(**dict(zip(names, values, strict=True))))
    assert [item.split for item in source.items()] == ["train", "train", "val", "val", "test", "test"]
    assert labels(source) == LABELS.tolist()
    assert [item.id for item in source.items()][::2] == [f"{name}[0]" for name in names[::2]]
    assert source.notes, "names that are not the plain ones are said"
    assert all(": read as images and labels of " in note for note in source.notes)


@pytest.mark.parametrize(
    "names",
    [("X", "Y"), ("X", "y"), ("data", "labels"), ("images", "targets"), ("image", "label"), ("x", "target")],
)
def test_names_without_split(names, npz):
    source = open_source(npz(**dict(zip(names, (PIXELS, LABELS), strict=True))))
    assert labels(source) == LABELS.tolist()
    assert source.notes == (f"{names[0]}, {names[1]}: read as images and labels",)


@pytest.mark.parametrize("turned", [False, True])
def test_arrays_without_names(turned, npz):
    source = open_source(npz(*([LABELS, PIXELS] if turned else [PIXELS, LABELS])))
    assert labels(source) == LABELS.tolist()
    assert source.notes == (
        "arr_1: read as images, arr_0: read as labels"
        if turned
        else "arr_0: read as images, arr_1: read as labels",
    )
    assert labels(open_source(npz(PIXELS))) == [-1] * 6


MIXTURES = {
    "'x' and 'images' could both be the images: keep": ("x", "images"),
    "'X' and 'x' could both be the images": ("X", "x"),
    "'x_val' and 'x_valid' could both be the images of val": ("x_val", "x_valid"),
    "'x_train' and 'train_images' could both be the images of train": ("x_train", "train_images"),
    "'y' and 'labels' could both be the labels": ("x", "y", "labels"),
    "'y' are labels without images beside x_train": ("x_train", "y_train", "y"),
    "'y_test' are labels without images beside x_train": ("x_train", "y_train", "y_test"),
    "'x' has no split and 'x_train' has one": ("x", "y", "x_train", "y_train"),
    "holds arrays without names, arr_0 .*: expected x_train": ("arr_0", "arr_1", "arr_2", "arr_3"),
    "holds holdout, weights: expected x_train, y_train": ("holdout", "weights"),
}


@pytest.mark.parametrize("trouble", MIXTURES)
def test_mixtures_are_refused_with_their_names(trouble, npz):
    arrays = {
        name: LABELS if name.startswith(("y", "labels")) or name in ("arr_1", "arr_3") else PIXELS
        for name in MIXTURES[trouble]
    }
    with pytest.raises(UsageError, match=trouble):
        open_source(npz(**arrays))


def test_an_array_that_is_there_twice_is_refused(npz, tmp_path):
    npz(x=PIXELS, y=LABELS)
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "toy.npz", "a") as archive:
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr("y.npy", archive.read("y.npy"))
    with pytest.raises(UsageError, match=r"toy\.npz holds 'y' twice"):
        open_source(str(tmp_path / "toy.npz"))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_may_stand_first(channels, npz):
    last = np.random.default_rng(1).integers(0, 256, (6, 8, 7, channels), np.uint8)
    usual = open_source(npz(x=last, y=LABELS))
    usual = [usual.read(item) for item in usual.items()]
    source = open_source(npz(x=np.moveaxis(last, -1, 1), y=LABELS))
    assert source.notes == (f"x has shape (6, {channels}, 8, 7): read with the channels first",)
    for item, pixels in zip(source.items(), usual, strict=True):
        np.testing.assert_array_equal(source.read(item), pixels)
        np.testing.assert_array_equal(decode(source.read(item), 8), decode(pixels, 8))


SHAPES = {
    r"\(6, 192\): expected .*flattened pixels, reshape": (6, 192),
    r"\(8, 8, 3\): expected .*one image, write x\[None\]": (8, 8, 3),
    r"\(8, 7, 3, 6\): expected .*along the last axis": (8, 7, 3, 6),
    r"\(6, 8, 7, 5\): expected .*no pictures in grey": (6, 8, 7, 5),
    r"\(6, 5, 8, 7, 3\): expected": (6, 5, 8, 7, 3),
    r"\(0, 8, 7, 3\): expected .*empty": (0, 8, 7, 3),
    r"\(6, 0, 8, 7\): expected .*empty": (6, 0, 8, 7),
}


@pytest.mark.parametrize("trouble", SHAPES)
def test_other_shapes_are_refused_with_their_cause(trouble, npz):
    with pytest.raises(UsageError, match=f"x has shape {trouble}"):
        open_source(npz(x=np.zeros(SHAPES[trouble], np.uint8), y=LABELS))
