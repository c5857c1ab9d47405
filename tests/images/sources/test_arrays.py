from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images import LeftOut
from pipeline.images.decode import decode
from pipeline.images.manifest import scan
from pipeline.images.sources import open_source

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)


@pytest.fixture
def npz(tmp_path):
    """Writes arrays and returns the file's path as text."""

    def write(**arrays):
        np.savez(tmp_path / "toy.npz", **arrays)
        return str(tmp_path / "toy.npz")

    return write


def labels(source):
    return [item.label for item in source.items()]


def test_arrays_of_three_splits(npz, tmp_path):
    source = open_source(
        npz(
            x_train=PIXELS[:3],
            y_train=[5, 7, 5],
            x_val=PIXELS[3:4],
            y_val=[[7]],
            x_test=PIXELS[4:],
            y_test=[9, 5],
        )
    )
    assert source.uri == str(tmp_path / "toy.npz")
    assert source.name == "toy"
    assert source.classes == ("5", "7", "9")
    assert labels(source) == [0, 1, 0, 1, 2, 0]
    assert [item.split for item in source.items()] == ["train"] * 3 + ["val"] + ["test"] * 2
    assert [item.id for item in source.items()][2:5] == ["x_train[2]", "x_val[0]", "x_test[0]"]
    for item, pixels in zip(source.items(), PIXELS, strict=True):
        np.testing.assert_array_equal(source.read(item), pixels)


@pytest.mark.parametrize(("x", "y"), [("x", "y"), ("images", "labels")])
def test_arrays_without_splits(x, y, npz):
    source = open_source(npz(**{x: PIXELS, y: np.array(["b", "a10", "a2", "", "b", "b"])}))
    assert source.classes == ("a2", "a10", "b")
    assert labels(source) == [2, 1, 0, -1, 2, 2]
    assert {item.split for item in source.items()} == {None}


def test_given_classes_name_the_numbers(npz):
    source = open_source(npz(x=PIXELS, y=[0, 1, 2, -1, 0, 0], classes=["1", "0", "zebra"]))
    assert source.classes == ("1", "0", "zebra")
    assert labels(source) == [0, 1, 2, -1, 0, 0]


def test_given_classes_order_the_names(npz):
    source = open_source(npz(x=PIXELS[:2], y=np.array([b"b", b"a"]), classes=["b", "a"]))
    assert labels(source) == [0, 1]


def test_missing_labels_and_strange_arrays_are_noted(npz):
    source = open_source(npz(x_train=PIXELS, y_train=range(6), x_test=PIXELS, z=[1], mean=[2]))
    assert labels(source)[6:] == [-1] * 6
    assert source.notes == ("x_test has no labels",)
    assert source.left_out == (LeftOut("arrays of other names", 2, ("mean", "z")),)


@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 4, 5, 1), (6, 4, 5, 3), (6, 4, 5, 4)])
def test_pixels_may_have_any_of_these_shapes(shape, npz):
    source = open_source(npz(x=np.zeros(shape, np.uint8)))
    assert source.read(source.items()[0]).shape == shape[1:]


@pytest.mark.parametrize(
    "ramp",
    [
        np.arange(256, dtype=np.uint8),
        np.arange(256, dtype=np.uint16) * 257,
        (np.arange(256) * 257).astype(">u2"),
        np.arange(256, dtype=np.float32) / 255,
        np.arange(256, dtype=np.float64) / 255,
        np.arange(256, dtype=np.uint16),
        np.arange(256, dtype=np.int64),
        np.arange(256, dtype=np.float32),
        np.arange(256, dtype=np.float64) / 2 - 60,
    ],
)
def test_all_kinds_of_pixels_become_the_same_uint8(ramp, npz):
    source = open_source(npz(x=ramp.reshape(1, 16, 16)))
    pixels = source.read(source.items()[0])
    assert pixels.dtype == ramp.dtype
    census = scan(source).census
    found = decode(pixels, 16, census.find()[0] if len(census) else None)
    np.testing.assert_array_equal(found[..., 0], np.arange(256, dtype=np.uint8).reshape(16, 16))


ERRORS = {
    r"toy.npz: x has shape \(6, 4\): expected \(n, height, width": {"x": np.zeros((6, 4), np.uint8)},
    r"x has shape \(6, 2, 4, 5\)": {"x": np.zeros((6, 2, 4, 5), np.uint8)},
    r"x has shape \(0, 4, 5\)": {"x": np.zeros((0, 4, 5), np.uint8)},
    r"x has 6 images, but its labels have shape \(5,\)": {"x": PIXELS, "y": range(5)},
    r"but its labels have shape \(6, 10\)": {"x": PIXELS, "y": np.full((6, 10), 2)},
    r"labels of x are complex128: expected whole numbers or text": {"x": PIXELS, "y": np.zeros(6, complex)},
    r"x is complex128: expected whole numbers or floats": {"x": np.zeros((2, 4, 5), complex)},
    r"x is bool: expected": {"x": np.zeros((2, 4, 5), bool)},
    r"label 3 of x is none of the 2 classes": {"x": PIXELS, "y": [0, 1, 3, 0, 0, 0], "classes": ["a", "b"]},
    r"label 'c' of x is none of the 2 classes": {"x": PIXELS[:2], "y": ["a", "c"], "classes": ["a", "b"]},
    r"holds features, weights: expected x_train, y_train; .*images, labels": {
        "features": [1],
        "weights": [1],
    },
    r"toy.npz holds no images: expected": {"y": [1]},
    r"holds Python objects: write plain arrays": {"x": np.array([None, {}], object)},
}


@pytest.mark.parametrize("match", ERRORS)
def test_arrays_that_do_not_fit_are_refused(match, npz):
    with pytest.raises(UsageError, match=match) as caught:
        open_source(npz(**ERRORS[match]))
    assert "\n" not in str(caught.value)


def test_foreign_and_damaged_files_are_refused(npz, tmp_path):
    npz(x=PIXELS)
    whole = (tmp_path / "toy.npz").read_bytes()
    single, archive = tmp_path / "single.npz", tmp_path / "archive.npz"
    with open(single, "wb") as file:
        np.save(file, PIXELS)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x", "no array")
    for content in (
        b"",
        b"text",
        whole[: len(whole) // 2],
        whole[:100] + bytes(9) + whole[109:],
        b"\x80\x04N.",
    ):
        (tmp_path / "toy.npz").write_bytes(content)
        with pytest.raises(
            UsageError, match=r"toy\.npz (is no \.npz file|cannot be read).*numpy\.savez"
        ) as caught:
            open_source(str(tmp_path / "toy.npz"))
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"single\.npz is no \.npz file"):
        open_source(str(single))
    with pytest.raises(UsageError, match=r"archive\.npz is a zip file without arrays"):
        open_source(str(archive))


def test_opening_files_imports_no_heavy_library(npz):
    code = (
        "import sys; from pipeline.images import open_images;"
        "from pipeline.images.manifest import scan;"
        "scan(open_images(sys.argv[1]));"
        "sys.exit(str({'tensorflow', 'keras', 'sklearn', 'h5py', 'rich'} & sys.modules.keys() or ''))"
    )
    run = subprocess.run([sys.executable, "-c", code, npz(x=PIXELS)], capture_output=True, text=True)
    assert run.stderr.strip() == ""
