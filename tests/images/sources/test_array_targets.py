"""Arrays in which an image has several labels, or numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images import ImageSource
from pipeline.images.source import targets_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import open_source
from pipeline.images.targets import LABELS, NUMBER

NAN = np.nan
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 4, 5, 3), np.uint8)
SEVERAL = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 0, 1]])
Opened = Callable[..., ImageSource]


@pytest.fixture
def npz(tmp_path: Path) -> Opened:
    """Opens arrays as a source."""

    def opened(target: str = "", **arrays: object) -> ImageSource:
        np.savez(tmp_path / "toy.npz", **arrays)
        return open_source(str(tmp_path / "toy.npz"), SourceOptions(target=target))

    return opened


def targets(source: ImageSource) -> np.ndarray:
    table = targets_of(source)
    assert table is not None
    assert source.classes == table.names
    return table.of(np.array([item.label for item in source.items()]))


@pytest.mark.parametrize("target", ["", LABELS])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
def test_columns_of_which_several_are_1_are_labels(target: str, dtype: str, npz: Opened) -> None:
    source = npz(target, x=PIXELS, y=SEVERAL.astype(dtype), classes=["a", "b", "c"])
    np.testing.assert_array_equal(targets(source), SEVERAL)
    assert source.classes == ("a", "b", "c")
    assert targets_of(source).kind == LABELS
    assert source.notes == (
        "labels of arrays are read as 3 labels an image, 1 where it has it: 2 rows have several",
        "1 row has none of the labels",
    )
    labels = [item.label for item in source.items()]
    assert labels[0] == labels[3]  # of the same labels


def test_several_splits_are_read_alike(npz: Opened) -> None:
    one = np.eye(3, dtype=int)
    source = npz(x_train=PIXELS, y_train=SEVERAL, x_val=PIXELS[:3], y_val=one, x_test=PIXELS[:1])
    np.testing.assert_array_equal(targets(source), [*SEVERAL, *one, [NAN] * 3])
    assert source.classes == ("0", "1", "2")
    assert "1 row has no label, which is taken for unknown" in source.notes


@pytest.mark.parametrize("y", [np.eye(4, dtype=int), np.full((4, 3), [0.5, 0.3, 0.2]), [0, 1, 1, 0]])
@pytest.mark.parametrize("target", ["", "class"])
def test_without_an_option_classes_are_what_they_were(y: object, target: str, npz: Opened) -> None:
    assert targets_of(npz(target, x=PIXELS, y=y)) is None


def test_one_column_a_row_is_labels_where_the_user_says_so(npz: Opened) -> None:
    np.testing.assert_array_equal(targets(npz(LABELS, x=PIXELS, y=np.eye(4))), np.eye(4))


def test_unknown_labels_are_nan(npz: Opened) -> None:
    y = SEVERAL.astype(float)
    y[1, 1], y[2] = NAN, NAN
    np.testing.assert_array_equal(targets(npz(x=PIXELS, y=y)), y.astype(np.float32))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4), (2, 2)])
def test_numbers(shape: tuple[int, ...], npz: Opened) -> None:
    values = np.array([1.5, -2, NAN, 1e6])
    y = np.stack([values, values * 2], axis=1) if shape == (2, 2) else values.reshape(shape)
    source = npz(NUMBER, x=PIXELS, y=y)
    assert source.classes == (("0", "1") if shape == (2, 2) else ("number",))
    np.testing.assert_array_equal(targets(source), np.float32(y if shape == (2, 2) else values[:, None]))
    assert targets_of(source).kind == NUMBER
    assert source.notes[-1] == "1 row has no number, which is taken for unknown"


def test_numbers_have_the_names_that_stand_there(npz: Opened) -> None:
    source = npz(NUMBER, x=PIXELS, y=np.ones((4, 2), np.int8), classes=["width", "height"])
    assert source.classes == ("width", "height")


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "row 0 of the labels of x marks 2 of 3 classes: .*--target labels": ("class", {"y": SEVERAL}),
    "row 1 of the labels of x holds 2: neither 0 nor 1: .*--target number": (
        LABELS,
        {"y": [[0, 1], [2, 1], [0, 1], [0, 1]]},
    ),
    r"labels have shape \(4,\): expected \(n, k\)": (LABELS, {"y": [0, 1, 0, 1]}),
    r"labels have shape \(3,\): expected \(n,\)": (NUMBER, {"y": [0, 1, 0]}),
    "labels of x are <U1": (NUMBER, {"y": list("abcd")}),
    "row 3 of the labels of x holds 1e[+]300: no finite": (NUMBER, {"y": [1, 2, 3, 1e300]}),
    "no image has a number": (NUMBER, {"y": [NAN] * 4}),
    "no image has a label": (LABELS, {}),
    "the numbers of columns differ: 2 in the names": ("", {"y": SEVERAL, "classes": ["a", "b"]}),
    "empty or repeated": ("", {"y": SEVERAL, "classes": ["a", "b", "a"]}),
    "unknown target 'boxes'": ("boxes", {"y": SEVERAL}),
}


@pytest.mark.parametrize("trouble", REFUSED)
def test_what_cannot_be_meant_is_refused(trouble: str, npz: Opened) -> None:
    target, arrays = REFUSED[trouble]
    with pytest.raises(UsageError, match=trouble):
        npz(target, x=PIXELS, **arrays)
