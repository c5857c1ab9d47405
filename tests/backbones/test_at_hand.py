"""The bases at hand: found by their files, each file's base by its layers, nothing guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from onnx_files import TOML, convnet, save, transformer

from pipeline.backbones import at_hand as module
from pipeline.backbones import shelf, weights
from pipeline.backbones.at_hand import BaseAtHand, bases_at_hand
from pipeline.backbones.table import BACKBONES
from pipeline.errors import UsageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of Keras's in which no filters are yet; nothing is on the shelf."""
    monkeypatch.setenv(shelf.PLACE, str(tmp_path / "shelf"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras" / "models"


@pytest.fixture
def file_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a file with as many weights as a base has, that loads where the name says so."""
    monkeypatch.setattr(module, "fits", lambda name, path: not path.name.startswith("other"))

    def make(backbone: str, name: str = "filters.h5") -> Path:
        path = tmp_path / "files" / name
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            half = BACKBONES[backbone].parameters // 2
            file["a/kernel"] = np.zeros(half, np.int8)
            file["b/kernel"] = np.zeros(BACKBONES[backbone].parameters - half, np.int8)
        return path

    return make


def test_pixels_are_always_at_hand() -> None:
    assert bases_at_hand() == [BaseAtHand("pixels", "", (32,))]
    assert BaseAtHand("pixels", "", (32,)).cuts(32) == ()


def test_filters_that_keras_keeps_are_at_hand(home: Path) -> None:
    for name in ("vgg16", "mobilenet_v2"):
        weights._imagenet_file(BACKBONES[name], 224).touch()

    assert bases_at_hand()[1:] == [
        BaseAtHand("mobilenet_v2", "imagenet", (150, 224)),
        BaseAtHand("vgg16", "imagenet", (150, 224)),
    ]


@pytest.mark.parametrize("as_folder", [True, False])
def test_the_base_of_a_file_is_found_by_its_layers(as_folder: bool, file_of: Callable[..., Path]) -> None:
    file = file_of("mobilenet_v2_035", "unnamed.h5")

    found = bases_at_hand([str(file.parent if as_folder else file)])

    assert found[1:] == [BaseAtHand("mobilenet_v2_035", str(file), (150, 224))]


def test_sizes_and_names_may_be_chosen(file_of: Callable[..., Path]) -> None:
    file = file_of("mobilenet_v2")

    assert bases_at_hand([str(file)], ["mobilenet_v2"], [20, 96]) == [
        BaseAtHand("mobilenet_v2", str(file), (96,))  # of which it needs at least 32
    ]


def test_random_filters_are_taken_for_named_bases_without_others(file_of: Callable[..., Path]) -> None:
    file = file_of("vgg16")

    found = bases_at_hand(["random:3", str(file)], ["vgg16", "mobilenet"], [64])

    assert found == [BaseAtHand("mobilenet", "random:3", (64,)), BaseAtHand("vgg16", str(file), (64,))]


@pytest.mark.parametrize(
    ("files", "names", "words"),
    [
        (["nowhere.h5"], [], "nowhere.h5.* do not exist"),
        ([], ["vgg61"], "vgg61"),
        ([], ["vgg16"], r"vgg16 are not at hand: give --weights FILE"),
    ],
)
def test_what_is_not_at_hand_is_refused(files: list[str], names: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bases_at_hand(files, names)


def test_a_file_that_fits_none_is_refused_and_in_a_folder_told(
    file_of: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    other = file_of("vgg16", "other.h5")
    (other.parent / "notes.h5").write_text("no HDF5")

    with pytest.raises(UsageError, match=r"other\.h5' fit none"):
        bases_at_hand([str(other)])
    assert len(bases_at_hand([str(other.parent)])) == 1
    told = capsys.readouterr().err
    assert "other.h5' fit none" in told
    assert "notes.h5' fit none" in told


def test_networks_in_files_are_at_hand_at_their_own_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = save(convnet(), tmp_path / "networks" / "mine.onnx", config=TOML)
    save(
        convnet(), tmp_path / "networks" / "without" / "other.onnx", config=None
    )  # nothing says how pictures have to be

    found = bases_at_hand([str(tmp_path / "networks")])

    assert found[1:] == [BaseAtHand(str(network.resolve()), "", (16,))]
    assert "other.onnx" in capsys.readouterr().err
    assert found[1].cuts(16) == ("map:avg", "map", "vector")
    with pytest.raises(UsageError, match=r"other\.onnx"):
        bases_at_hand([str(tmp_path / "networks" / "without" / "other.onnx")])


def test_of_tokens_the_class_and_the_average_are_tried(tmp_path: Path) -> None:
    network = save(transformer(), tmp_path / "mine.onnx", config=TOML)

    (found,) = bases_at_hand(names=[str(network)])

    assert found.cuts(16) == ("tokens:cls", "tokens:avg")


def test_what_is_on_the_shelf_is_at_hand(tmp_path: Path) -> None:
    shelf.add("tiny", save(convnet(), tmp_path / "mine.onnx", config=TOML))

    assert bases_at_hand()[1:] == bases_at_hand(names=["tiny"]) == [BaseAtHand("tiny", "", (16,))]


def test_a_size_that_a_network_does_not_take_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = save(convnet(), tmp_path / "mine.onnx", config=TOML)

    assert bases_at_hand(names=[str(network)], sizes=[16, 32]) == [BaseAtHand(str(network), "", (16,))]
    assert "--image-size 32" in capsys.readouterr().err


def test_two_files_of_one_base_are_refused(file_of: Callable[..., Path]) -> None:
    files = [str(file_of("mobilenet", name)) for name in ("a.h5", "b.h5")]

    with pytest.raises(UsageError, match="both filters of mobilenet"):
        bases_at_hand(files)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no weights file"):
        bases_at_hand([str(tmp_path / "keras" / "models")])


@pytest.mark.parametrize(
    ("shapes", "cuts"),
    [
        # the map before the last pooling tells what the pooled one does: one stage earlier is taken
        (
            {"conv3": (18, 18, 8), "pool3": (9, 9, 8), "conv4": (9, 9, 16), "pool4": (4, 4, 16)},
            ("pool4:avg", "pool4", "conv3:avg", "conv3"),
        ),
        (
            {"add": (10, 10, 16), "expand": (10, 10, 96), "depthwise": (5, 5, 96), "relu": (5, 5, 1280)},
            ("relu:avg", "expand:avg", "expand"),
        ),
        ({"conv": (4, 4, 8), "gap": (8,)}, ("gap",)),
        ({"conv": (1, 1, 512)}, ("conv:avg",)),
    ],
)
def test_cuts_worth_trying(
    shapes: dict[str, tuple[int, ...]], cuts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = SimpleNamespace(cuts=lambda size: list(shapes.items()), layer=[*shapes][-1], in_file=False)
    monkeypatch.setattr(module, "find_base", lambda name: base)
    module._cuts.cache_clear()

    assert BaseAtHand("vgg16", "imagenet", (150,)).cuts(150) == cuts
    module._cuts.cache_clear()


def test_real_files_are_told_apart(shared: Path) -> None:
    found = {
        Path(base.backbone).name: Path(base.weights or base.backbone).name
        for base in bases_at_hand([str(shared / "weights")])
    }

    assert found == {
        "pixels": "pixels",
        "efficientnet_lite0_imagenet.onnx": "efficientnet_lite0_imagenet.onnx",
        "mobilenet_v2_035": "mobilenet_v2_0.35_224_no_top.weights.h5",
        "mobilenet_v2": "mobilenet_v2_1.0_224_no_top.weights.h5",
        "vgg16": "vgg16_imagenet_no_top.weights.h5",
    }
