"""What can be asked of stage one, and the specs it becomes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pipeline.backbones.table import BACKBONES, Cut
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import UsageError
from pipeline.extraction.request import FeatureRequest


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backbone": "vgg_16"}, r"unknown backbone 'vgg_16' \(did you mean 'vgg16'"),
        ({"image_size": 31}, "--image-size 31 is too small for vgg16: it needs at least 32"),
        ({"backbone": "xception", "image_size": 70}, "too small for xception: it needs at least 71"),
        ({"precision": "float8"}, "unknown precision 'float8'.*choose from auto, float32, bfloat16"),
        ({"resize": "nearest"}, "unknown resize 'nearest'.*choose from auto, bilinear-antialias-cykooz"),
        ({"store": "bfloat16"}, "unknown store 'bfloat16'.*choose from float16, float32"),
        ({"pooling": "mean"}, "unknown pooling 'mean'.*choose from none, avg, max"),
        ({"layers": ("block5_pool:sum",)}, "unknown pooling 'sum'"),
        ({"image_size": 32_769}, "--image-size 32769 is too large: choose 32768 at most"),
        ({"views": 256}, "--views 256 is out of bounds: choose from 0 to 255"),
        ({"views": -1}, "--views -1 is out of bounds: choose from 0 to 255"),
        ({"batch_size": 0}, "--batch-size 0 is too small: give auto, or 1 or more"),
        ({"layers": ("a", "a")}, "--layer names a cut twice: a, a"),
        ({"layers": ("a", "a:avg"), "pooling": "avg"}, "--layer names a cut twice: a, a:avg"),
        ({"backbone": "pixels", "layers": ("block1_pool",)}, "pixels has no layers and no pooling"),
        ({"backbone": "pixels", "pooling": "avg"}, "leave --layer and --pooling out"),
    ],
)
def test_what_cannot_be_had_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FeatureRequest(**wrong)


def test_the_largest_and_the_smallest_are_had() -> None:
    assert FeatureRequest(image_size=32_768, views=255, batch_size=1).views == 255
    assert FeatureRequest(image_size=32, views=0).batch_size is None


@pytest.mark.parametrize("name", BACKBONES)
def test_the_default_cut_is_the_end_of_the_base(name: str) -> None:
    request = FeatureRequest(backbone=name)
    assert request.cuts == (Cut(BACKBONES[name].layer, "none"),)
    assert request.engine == ("pixels" if name == "pixels" else "auto")


def test_a_layer_may_say_its_own_pooling() -> None:
    request = FeatureRequest(layers=("block1_pool", "block2_pool:max", "block2_pool"), pooling="avg")
    assert request.cuts == (Cut("block1_pool", "avg"), Cut("block2_pool", "max"), Cut("block2_pool", "avg"))


def test_a_spec_says_all_that_was_asked() -> None:
    request = FeatureRequest(
        backbone="mobilenet",
        layers=("conv_pw_5_relu:avg",),
        image_size=96,
        weights="random:7",
        precision="bfloat16",
        store="float32",
        engine="openvino",
        resize="bilinear-antialias",
    )
    weights = resolve_weights(request.backbone, request.weights, request.image_size)
    (spec,) = request.specs(weights)
    assert (spec.backbone, spec.layer, spec.pooling) == ("mobilenet", "conv_pw_5_relu", "avg")
    assert (spec.image_size, spec.precision, spec.store) == (96, "bfloat16", "float32")
    assert spec.resize == "bilinear-antialias"
    assert (spec.weights, spec.preprocessing, spec.engine) == ("random:7", "tf", "openvino")
    assert weights.seed == 7


def test_pixels_are_stored_as_they_are() -> None:
    weights = resolve_weights("pixels", "imagenet", 1)
    (spec,) = FeatureRequest(backbone="pixels", image_size=1).specs(weights)
    assert (spec.store, spec.precision, spec.preprocessing, spec.weights) == ("uint8", "none", "none", "none")
    assert weights.path is None


def test_a_request_travels_to_other_processes() -> None:
    request = FeatureRequest(backbone="mobilenet_v2_035", image_size=32, layers=("out_relu:avg",))
    again = pickle.loads(pickle.dumps(request))  # noqa: S301
    assert again == request
    assert again.base.layer == request.base.layer == "out_relu"


def test_the_size_is_that_of_the_base_unless_it_is_said() -> None:
    assert FeatureRequest().image_size == FeatureRequest(backbone="resnet50").image_size == 150
