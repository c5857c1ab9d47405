"""Clean cuts: behind one, nothing but its output is needed."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.backbones.cuts import clean_cuts
from pipeline.backbones.loading import load_backbone
from pipeline.backbones.table import Cut
from pipeline.backbones.weights import resolve_weights
from pipeline.errors import UsageError
from pipeline.runtimes.keras import import_keras


def residual() -> object:
    keras = import_keras()
    images = keras.Input((4, 4, 3), name="images")
    stem = keras.layers.Conv2D(3, 1, name="stem")(images)
    inside = keras.layers.Conv2D(3, 1, name="inside")(stem)
    joined = keras.layers.ReLU(name="joined")(stem + inside)
    left = keras.layers.Conv2D(2, 1, name="left")(joined)
    right = keras.layers.Conv2D(2, 1, name="right")(joined)
    return keras.Model(images, keras.layers.Concatenate(name="both")([left, right]))


def test_a_shortcut_and_a_branch_cannot_be_cut() -> None:
    assert clean_cuts(residual()) == ["stem", "joined", "both"]


@pytest.mark.parametrize(
    "factory", ["VGG16", "MobileNetV2", pytest.param("DenseNet121", marks=pytest.mark.torture)]
)
def test_a_base_can_be_continued_from_each_clean_cut(factory: str) -> None:
    keras = import_keras()
    base = getattr(keras.applications, factory)(weights=None, include_top=False, input_shape=(32, 32, 3))
    names = clean_cuts(base)
    assert names[-1] == base.layers[-1].name
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    for name in names[: -1 : len(names) // 4]:
        middle = base.get_layer(name).output
        rest = keras.Model(middle, base.output)  # fails where anything else is needed
        features = keras.Model(base.input, middle)(image)
        np.testing.assert_allclose(rest(features), base(image), rtol=1e-4, atol=1e-5)
    keras.utils.clear_session()


def test_an_unclean_cut_is_refused_with_the_clean_ones() -> None:
    weights = resolve_weights("mobilenet_v2_035", "random", 32)
    with pytest.raises(
        UsageError,
        match=r"'block_2_expand' is no clean cut of mobilenet_v2_035.*choose from Conv1, .*out_relu",
    ):
        load_backbone("mobilenet_v2_035", [Cut("block_2_expand")], weights=weights, image_size=32)
