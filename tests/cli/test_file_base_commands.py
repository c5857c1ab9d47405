"""A base in a file through every command: the network is the user's, and all that follows is as ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from click.testing import Result
from onnx_files import BIT, SIDE, convnet, save, transformer
from photos import Photos
from PIL import Image

from pipeline.cache import open_features
from pipeline.cache.entries import read_entry

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
MEAN, STD = (np.array(BIT[name], np.float32) for name in ("image_mean", "image_std"))

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A convnet with its preprocessing beside it."""
    return save(convnet(), tmp_path / "bases" / "net.onnx")


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    """A transformer with its preprocessing beside it."""
    return save(transformer(), tmp_path / "bases" / "vit.onnx")


def ok(result: Result) -> Result:
    assert result.exit_code == 0, result.stderr
    return result


def computed_in(described: dict[str, Any]) -> int:
    """Counts the rows that were computed, by what ``extract --json`` says of an entry."""
    return sum(split["computed"] for split in described["splits"].values())


def prepared(path: Path) -> np.ndarray:
    """Prepares a picture as the processor of the network does: float32 (1, 3, side, side)."""
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((18, 18), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.crop((1, 1, 1 + SIDE, 1 + SIDE)), np.float32)
    return ((pixels / 255 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None]


def test_features_are_those_of_onnx_runtime_on_reference_pixels(
    network: Path, cli: Cli, some_photos: Photos, the_object: Read
) -> None:
    stage = ["--data", some_photos.root, "--backbone", network, "--layer", "map", "--layer", "vector"]
    exact = ["--store", "float32", "--precision", "float32", "--resize", "bicubic-antialias"]
    result = ok(cli("extract", *stage, *exact, "--json"))
    config = network.parent / "preprocessor_config.json"
    assert f"net.onnx: pictures as {config} says: shorter-edge-18, centre crop 16" in result.stderr
    entries = [read_entry(Path(one["entry"])) for one in the_object(result)["entries"]]
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    for split in ("train", "test"):
        found = [open_features(entry, split).to_memory() for entry in entries]
        for row, path in enumerate(some_photos.files(split)):
            maps, vector = session.run(["map", "vector"], {"pixels": prepared(path)})
            for rows, wanted in zip(found, (maps[0].transpose(1, 2, 0), vector[0]), strict=True):
                np.testing.assert_allclose(rows[row], wanted, atol=1e-4 * np.abs(wanted).max())
    spec = entries[0].spec
    assert (spec.backbone, spec.geometry, spec.image_size) == ("net.onnx", "shorter-edge-18", SIDE)
    assert spec.resize == "bicubic-antialias"
    assert spec.preprocessing.startswith("rgb nchw scale=0.00392")
    again = ok(cli("extract", *stage, *exact, "--json"))
    assert [computed_in(one) for one in the_object(again)["entries"]] == [0, 0]


@pytest.mark.parametrize("layer", ["tokens", "tokens:cls", "tokens:avg"])
def test_heads_take_what_a_transformer_gives(
    layer: str, vit: Path, cli: Cli, some_photos: Photos, the_object: Read
) -> None:
    """From pictures to an exported model, for whole sequences, the class token and the mean of patches."""
    stage = ["--data", some_photos.root, "--backbone", vit, "--layer", layer]
    ok(cli("extract", *stage))
    ok(cli("train-head", *stage, "--head", "logreg"))
    picture = some_photos.files("test")[0]
    predicted = the_object(ok(cli("predict", picture, *stage, "--json")))
    assert len(predicted["images"]) == 1
    exported = the_object(ok(cli("export", *stage, "--format", "onnx", "--out", "vit.onnx", "--json")))
    assert exported["checked"] == 8
    assert exported["max_difference"] < 1e-3
    ok(cli("evaluate", *stage, "--split", "test"))


def test_what_a_network_sees_is_searched_and_its_evidence_drawn(
    network: Path, cli: Cli, some_photos: Photos, the_object: Read, tmp_path: Path
) -> None:
    some_photos.add("val/cats", 10)
    some_photos.add("val/dogs", 10)
    stage = ["--data", some_photos.root, "--backbone", network, "--layer", "map"]
    ok(cli("extract", *stage))
    ok(cli("train-head", *stage, "--head", "ensemble"))
    known = some_photos.files("train")[0]
    asked = ["--head", "ensemble", "--evidence", tmp_path / "out", "--coverage", "0.9", "--json"]
    (image,) = the_object(ok(cli("predict", known, *stage, *asked)))["images"]
    assert image["familiar"] is True
    assert set(image["set"]) <= {"cats", "dogs"}
    with Image.open(image["evidence"]) as picture:
        assert picture.size == (640, 320)
    (found,) = the_object(ok(cli("search", known, *stage, "--n", 1, "--json")))["images"]
    assert found["nearest"][0]["id"] == str(known.relative_to(some_photos.root))


def test_an_exported_model_answers_for_pixels(
    network: Path, cli: Cli, some_photos: Photos, the_object: Read
) -> None:
    """Two cuts side by side, and the example that is printed."""
    stage = ["--data", some_photos.root, "--backbone", network, "--layer", "map:max", "--layer", "vector"]
    ok(cli("extract", *stage))
    ok(cli("train-head", *stage, "--head", "ridge"))
    result = ok(cli("export", *stage, "--head", "ridge", "--format", "onnx", "--out", "own.onnx"))
    *_, first, second, third = result.stdout.splitlines()
    Image.open(some_photos.files("test")[0]).save("photo.jpg")
    printed: list[Any] = []
    exec("\n".join((first, second, third)), {"print": printed.append})  # noqa: S102
    assert printed[0][0].shape == (1, 2)
    np.testing.assert_allclose(printed[0][0].sum(), 1, atol=1e-5)
    known = onnxruntime.InferenceSession("own.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == ["cats", "dogs"]
    for form in ("keras", "savedmodel", "litert"):
        refused = cli("export", *stage, "--head", "ridge", "--format", form)
        assert refused.exit_code == 2
        assert f"format '{form}' cannot hold net.onnx" in refused.stderr
        assert "choose --format onnx" in refused.stderr


def test_the_file_may_move_when_features_are_there(
    network: Path, cli: Cli, some_photos: Photos, tmp_path: Path
) -> None:
    stage = ["--data", some_photos.root]
    ok(cli("extract", *stage, "--backbone", network))
    ok(cli("train-head", *stage))
    picture = some_photos.files("test")[0]
    before = ok(cli("predict", picture, *stage)).stdout
    (network.parent / "preprocessor_config.json").unlink()  # features say how pictures are prepared
    assert ok(cli("predict", picture, *stage)).stdout == before
    moved = network.rename(tmp_path / "elsewhere.onnx")
    gone = cli("predict", picture, *stage)
    assert gone.exit_code == 2
    assert "cannot be read any more: name it with `--weights PATH`" in gone.stderr
    assert ok(cli("predict", picture, *stage, "--weights", moved)).stdout == before
    other = save(transformer(), tmp_path / "other.onnx")
    assert cli("predict", picture, *stage, "--weights", other).exit_code == 2  # no entry was made with it


def test_another_preprocessing_is_another_entry(
    network: Path, cli: Cli, some_photos: Photos, the_object: Read
) -> None:
    config = network.parent / "preprocessor_config.json"
    entries = []
    for size in (18, 20):
        config.write_text(json.dumps(BIT | {"size": {"shortest_edge": size}}))
        entries.append(
            the_object(ok(cli("extract", "--data", some_photos.root, "--backbone", network, "--json")))
        )
    assert [computed_in(one) for one in entries] == [26, 26]
    assert len({one["entry"] for one in entries}) == 2


def test_entries_of_two_files_are_told_apart(network: Path, vit: Path, cli: Cli, some_photos: Photos) -> None:
    data = ["--data", some_photos.root]
    for path in (network, vit):
        ok(cli("extract", *data, "--backbone", path))
    several = cli("train-head", *data)
    assert several.exit_code == 2
    assert {"  --backbone net.onnx", "  --backbone vit.onnx"} <= set(several.stderr.splitlines())
    for name in ("net.onnx", vit):
        ok(cli("train-head", *data, "--backbone", name))


def test_the_command_that_makes_an_entry_again_names_the_file(
    network: Path, cli: Cli, some_photos: Photos
) -> None:
    stage = ["--data", some_photos.root, "--backbone", network]
    ok(cli("extract", *stage, "--layer", "map:avg"))
    some_photos.add("train/cats", 1)
    told = ok(cli("train-head", *stage)).stderr
    assert f"--backbone {network}" in told
    assert "--layer map:avg" in told
    assert "--weights" not in told


def test_int8_and_other_arithmetics(network: Path, cli: Cli, some_photos: Photos, the_object: Read) -> None:
    stage = ["--data", some_photos.root, "--backbone", network]
    result = ok(cli("extract", *stage, "--precision", "int8", "--layer", "vector", "--json"))
    described = the_object(result)
    assert "int8: setting the ranges of net.onnx up to vector" in result.stderr
    assert described["engine"] == "openvino"
    assert read_entry(Path(described["entry"])).spec.calibration
    for option, value, words in (
        ("--engine", "keras", "cannot run net.onnx, which is no model of Keras: choose auto or openvino"),
        ("--precision", "float16", "unknown precision of net.onnx 'float16'"),
        ("--resize", "bilinear-antialias", "the filter that it was trained with: choose from auto, bicubic"),
        ("--pooling", "median", "unknown pooling 'median'"),
        ("--weights", "random", "leave --weights out"),
        ("--image-size", "32", "takes pictures of 16 pixels only"),
    ):
        refused = cli("extract", *stage, option, value)
        assert refused.exit_code == 2
        assert words in refused.stderr


def test_what_is_trained_further_must_be_layers(network: Path, cli: Cli, some_photos: Photos) -> None:
    stage = ["--data", some_photos.root, "--backbone", network]
    ok(cli("extract", *stage))
    refused = cli("train-head", *stage, "--head", "finetune")
    assert refused.exit_code == 2
    assert "net.onnx is no base of layers of Keras" in refused.stderr


def test_a_recipe_names_a_file(network: Path, cli: Cli, some_photos: Photos, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'title = "own"\ndata = "{some_photos.root}"\nhead = "logreg"\n[extract]\nbackbone = "{network}"\n'
        'layers = ["vector"]\n'
    )
    result = ok(cli("run", recipe))
    assert "logreg on photos, test split" in result.stdout
    assert ok(cli("check", "--data", some_photos.root)).stdout
    (page,) = Path("runs").glob("*/*/logreg/test/report.html")
    assert "shorter-edge-18" in page.read_text()


def test_cuts_are_listed_with_their_shapes(network: Path, vit: Path, cli: Cli, the_object: Read) -> None:
    lines = ok(cli("backbones", network)).stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("(default)")] == ["map"]
    assert any(line.split()[:6] == ["map", "4", "x", "4", "x", "8"] for line in lines)
    described = the_object(ok(cli("backbones", vit, "--json")))
    assert described["default_layer"] == "tokens"
    assert described["geometry"] == "shorter-edge-18"
    assert {"layer": "tokens", "shape": [17, 8], "bytes": 272} in described["cuts"]
    refused = cli("backbones", network, "--image-size", "20")
    assert refused.exit_code == 2
    assert "takes pictures of 16 pixels only" in refused.stderr


def test_the_table_says_which_filters_are_here(
    cli: Cli, the_object: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    described = the_object(ok(cli("backbones", "--json")))
    assert [name for name, one in described.items() if one["filters_at_hand"]] == ["pixels"]


def test_without_preprocessing_nothing_begins(network: Path, cli: Cli, some_photos: Photos) -> None:
    (network.parent / "preprocessor_config.json").unlink()
    refused = cli("extract", "--data", some_photos.root, "--backbone", network)
    assert refused.exit_code == 2
    assert "Write net.toml beside the network, a line each: size = 224" in refused.stderr
    assert not Path("features_cache").exists()


def test_a_network_on_the_shelf_goes_through_all_commands(
    network: Path,
    cli: Cli,
    some_photos: Photos,
    the_object: Read,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIPELINE_BACKBONES", str(tmp_path / "shelf"))
    added = ok(cli("backbones", "add", "mine", network))
    assert "now: pipeline extract --backbone mine" in added.stdout
    network.unlink()
    listed = the_object(ok(cli("backbones", "--json")))
    assert listed["mine"]["origin"] == str(network)
    assert any(line.startswith("mine ") for line in ok(cli("backbones")).stdout.splitlines())
    assert "(default)" in ok(cli("backbones", "mine")).stdout
    stage = ["--data", some_photos.root, "--backbone", "mine"]
    ok(cli("extract", *stage))
    ok(cli("train-head", *stage))
    picture = some_photos.files("test")[0]
    before = ok(cli("predict", picture, *stage)).stdout
    some_photos.add("train/cats", 1)
    assert "--backbone mine" in ok(cli("train-head", *stage)).stderr
    assert the_object(ok(cli("backbones", "remove", "mine", "--json"))) == {
        "removed": "mine",
        "left_alone": [],
    }
    gone = cli("predict", picture, *stage)
    assert gone.exit_code == 2
    assert "mine" not in the_object(ok(cli("backbones", "--json")))
    assert before
