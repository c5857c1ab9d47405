"""Preprocessing that stands beside a network: read in the field's own forms, and never half understood."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from onnx_files import BIT, TOML

from pipeline.backbones.configs import find_preprocessing
from pipeline.backbones.configs.own import write
from pipeline.backbones.preprocessing import Normalisation, Preprocessing
from pipeline.errors import UsageError
from pipeline.images.geometry import Geometry

TIMM = {
    "architecture": "vit_small_patch14_dinov2",
    "pretrained_cfg": {
        "input_size": [3, 16, 16],
        "interpolation": "bicubic",
        "crop_pct": 0.875,
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.25, 0.5],
    },
}
CONVNEXT = {"image_processor_type": "ConvNextImageProcessor", "resample": 2}
HF_FILE, TIMM_FILE = "preprocessor_config.json", "config.json"


def read(folder: Path, said: dict[str, Any] | str, name: str = HF_FILE) -> Preprocessing:
    """Writes a configuration beside a network, and reads it."""
    (folder / name).write_text(said if isinstance(said, str) else json.dumps(said))
    return find_preprocessing(folder / "net.onnx")


def test_all_forms_say_the_same(tmp_path: Path) -> None:
    found = [read(tmp_path, TIMM, TIMM_FILE), read(tmp_path, BIT), read(tmp_path, TOML, "net.toml")]
    assert [Path(one.origin).name for one in found] == [TIMM_FILE, HF_FILE, "net.toml"]
    alike = {replace(one, origin="", geometry=replace(one.geometry, even=False)) for one in found}
    assert alike == {
        Preprocessing(
            origin="",
            size=16,
            filter="bicubic",
            geometry=Geometry(18, keeps_ratio=True),
            channels="rgb",
            scale=1 / 255,
            mean=(0.4, 0.5, 0.6),
            std=(0.2, 0.25, 0.5),
        )
    }
    assert found[0].geometry.even


def test_two_spellings_of_one_processor_are_the_same(shared: Path) -> None:
    """The shared weights have both; without `crop_pct` a ninth of each side would be shown too much."""
    network = shared / "weights/efficientnet_lite0/efficientnet_lite0_imagenet.onnx"
    bit = find_preprocessing(network)
    convnext = find_preprocessing(network, network.with_name("preprocessor_config.convnext.json"))
    assert replace(bit, origin="") == replace(convnext, origin="")
    assert str(bit.geometry_at(224)) == "shorter-edge-256"


@pytest.mark.parametrize(
    ("said", "size", "geometry"),
    [
        ({"image_processor_type": "ViTImageProcessor", "size": 16}, 16, ""),
        ({"feature_extractor_type": "ViTFeatureExtractor", "size": 16, "do_resize": True}, 16, ""),
        ({"image_processor_type": "SiglipImageProcessorFast"}, 224, ""),
        ({"image_processor_type": "CLIPImageProcessor"}, 224, "shorter-edge-224"),
        ({"image_processor_type": "DeiTImageProcessor"}, 224, "square-256"),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "resample": 3},
            384,
            "",
        ),
        ({**CONVNEXT, "size": {"shortest_edge": 224}}, 224, "shorter-edge-256"),
    ],
)
def test_the_class_says_what_the_file_leaves_out(
    said: dict[str, Any], size: int, geometry: str, tmp_path: Path
) -> None:
    found = read(tmp_path, said)
    assert (found.size, str(found.geometry_at(size)), found.scale) == (size, geometry, 1 / 255)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"image_processor_type": "LevitImageProcessor"},
            "LevitImageProcessor', which is not known .*BitImage",
        ),
        ({"image_processor_type": None}, "image_processor_type None"),
        ({"image_processor_type": ["ViT"]}, "which is not known here"),
        ({"do_resize": False}, "does not resize"),
        ({"do_pad": True}, "do_pad = True, whose meaning is not known"),
        ({"do_center_crop": False}, "no squares"),
        ({"size": {"height": 16, "width": 20}}, "has size"),
        ({"size": {"longest_edge": 16}}, "has size"),
        ({"size": "16"}, "has size"),
        ({"crop_size": {"height": 40, "width": 40}}, "resized to 18 pixels, of which 40 cannot be cut out"),
        ({"resample": 0}, "resample = 0: known are 1 .Lanczos"),
        ({"resample": [3]}, r"resample = \[3\]"),
        ({"crop_pct": 0.9}, "crop_pct, which its class does not use"),
        ({"image_mean": [0.5]}, "image_mean: 1 numbers stand"),
        ({"image_std": [0.5, 0.5, "wide"]}, "image_std"),
        ({"image_std": [0.5, 0, 0.5]}, "std must be finite and not 0"),
        ({"rescale_factor": "1/255"}, "rescale_factor"),
        ({"size": {"shortest_edge": 10**9}, "crop_size": 10**9}, "size 1000000000 is none"),
    ],
)
def test_a_processor_that_is_not_understood_is_refused(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        read(tmp_path, BIT | change)


def test_a_filter_that_versions_disagree_on_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lacks resample"):
        read(tmp_path, {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": None}, "lacks mean"),
        ({"interpolation": "random"}, "interpolation = 'random': known are bilinear"),
        ({"crop_mode": "border"}, "crop_mode = 'border': known are center"),
        ({"crop_pct": 1.5}, "no share"),
        ({"input_size": [1, 28, 28]}, "three channels"),
        ({"input_size": [3, 28, 30]}, "a square"),
    ],
)
def test_a_configuration_of_timm_that_is_half_known_is_refused(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    said = {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], **change}}
    with pytest.raises(UsageError, match=rf"config\.json .*{words}.*Write net\.toml"):
        read(tmp_path, said, TIMM_FILE)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("size = 16\n", "", "lacks size"),
        ("crop", "cropp", "lacks crop"),
        ("crop = 0.875", "crop = 2.0", "share of the shorter edge"),
        ('"bicubic"', '"nearest"', "resize = 'nearest': choose from bilinear"),
        ('"rgb"', '"grb"', "channels = 'grb'"),
        ('"1/255"', '"1/0"', "scale = '1/0'"),
        ("[0.4, 0.5, 0.6]", "[0.4, nan, 0.6]", "mean must be finite"),
        ("[0.4, 0.5, 0.6]", "[0.4, 0.5]", "mean: 2 numbers"),
        ("size = 16", "size = true", "size = True"),
        ("size = 16", "size = 16\nlayout = 'chw'", "layout = 'chw': choose from nchw"),
        ("size = 16", "size == 16", "is not TOML"),
        ("size = 16", "size = 16\ncolour = 1", "unknown field 'colour'"),
    ],
)
def test_a_file_of_ours_leaves_nothing_open(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        read(tmp_path, TOML.replace(old, new), "net.toml")


@pytest.mark.parametrize("geometry", ["", "shorter-edge-20", "square-18-even"])
def test_what_is_written_is_read_again(geometry: str, tmp_path: Path) -> None:
    given = replace(read(tmp_path, BIT), geometry=Geometry.parse(geometry), layout="nchw", channels="bgr")
    again = read(tmp_path, write(given), "net.toml")
    assert replace(again, origin=given.origin) == given


def test_without_any_it_is_said_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of net\.toml, preprocessor_config\.json, .*scale"):
        find_preprocessing(tmp_path / "net.onnx")
    (tmp_path / TIMM_FILE).write_text('{"model_type": "vit"}')  # as of transformers
    with pytest.raises(UsageError, match=r"Write net\.toml beside the network"):
        find_preprocessing(tmp_path / "net.onnx")


def test_the_hub_keeps_networks_in_a_folder_of_their_own(tmp_path: Path) -> None:
    (tmp_path / HF_FILE).write_text(json.dumps(BIT))
    assert find_preprocessing(tmp_path / "onnx" / "model.onnx").size == 16
    with pytest.raises(UsageError):
        find_preprocessing(tmp_path / "other" / "model.onnx")


@pytest.mark.parametrize("text", ["", "[", "[1, 2]", '{"size": 1e999}', "[" * 100_000, "\ud800"])
def test_damaged_files_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / HF_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError) as refused:
        find_preprocessing(tmp_path / "net.onnx")
    assert "\n" not in str(refused.value)


def test_a_file_too_large_for_a_configuration_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / HF_FILE, "wb") as file:
        file.truncate(2**30)
    with pytest.raises(UsageError, match="more than 1,048,576 bytes"):
        find_preprocessing(tmp_path / "net.onnx")


def test_another_size_shows_the_same_share_of_a_picture(tmp_path: Path) -> None:
    found = read(tmp_path, BIT | {"size": {"shortest_edge": 256}, "crop_size": 224})
    assert [str(found.geometry_at(size)) for size in (224, 112, 448)] == [
        "shorter-edge-256",
        "shorter-edge-128",
        "shorter-edge-512",
    ]
    squashed = replace(found, geometry=Geometry())
    assert [str(squashed.geometry_at(size)) for size in (224, 112)] == ["", ""]


def test_a_normalisation_is_read_as_it_is_written() -> None:
    done = Normalisation("bgr", "nhwc", 1 / 255, (0.485, 0.456, 0.406), (1.0, 1e-3, 5.0))
    assert Normalisation.parse(str(done)) == done
    for text in ("", "caffe", str(done).replace("bgr", "grb"), str(done) + " "):
        with pytest.raises(ValueError, match="is not known"):
            Normalisation.parse(text)
