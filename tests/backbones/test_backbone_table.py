"""Every row of the table against Keras's own application: shape, last layer, preprocessing, weights file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pipeline.backbones.loading import _draw_filters, load_backbone, preprocess
from pipeline.backbones.table import BACKBONES, Backbone, Cut
from pipeline.backbones.weights import _imagenet_file, resolve_weights
from pipeline.errors import UsageError
from pipeline.extraction.engines.keras import KerasEngine
from pipeline.runtimes.keras import build_application, import_keras

FROZEN = [name for name, row in BACKBONES.items() if row.factory]
QUICK = ("vgg16", "mobilenet_v2_035", "efficientnet_b0")
"""One base of each kind: plain, with options, and with its scaling inside. Building all takes minutes."""
BATCH = 2


def slow_unless(quick: tuple[str, ...]) -> list[Any]:
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.torture) for name in FROZEN]


@dataclass(frozen=True)
class Loaded:
    """Keras's application with random filters, and the base that reads them from its file."""

    row: Backbone
    application: Any
    file: str
    engine: KerasEngine


def pictures(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)


def compute(engine: KerasEngine, images: np.ndarray) -> np.ndarray:
    (features,) = engine.fetch(engine.submit(images))
    return features


def module_of(row: Backbone) -> ModuleType:
    """Finds the module of keras.applications that offers a base with its preprocessing."""
    modules = vars(import_keras().applications).values()
    return next(m for m in modules if hasattr(m, row.factory) and hasattr(m, "preprocess_input"))


def build_for_imagenet(row: Backbone, size: int) -> tuple[Any, str]:
    """Builds the application as if for ImageNet; returns it and the name of the file that it asked for."""
    from keras.src.utils import file_utils

    keras, asked = import_keras(), []
    keras.utils.clear_session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_utils, "get_file", lambda fname, *_, **__: asked.append(fname))
        patch.setattr(keras.Model, "load_weights", lambda *_, **__: None)
        application = build_application(row.factory, size, imagenet=True, options=row.options)
    (name,) = asked
    return application, name


@pytest.fixture(scope="module", params=slow_unless(QUICK))
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    name, row = request.param, BACKBONES[request.param]
    application, file = build_for_imagenet(row, row.min_size)
    _draw_filters(application, seed=1)
    path = tmp_path_factory.mktemp("weights") / f"{name}.weights.h5"
    with warnings.catch_warnings():  # Keras reads TensorFlow's variables in a way that NumPy is going to drop
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        application.save_weights(path)
    weights = resolve_weights(name, str(path), row.min_size)
    model = load_backbone(name, [Cut(row.layer)], weights=weights, image_size=row.min_size)
    path.unlink()
    assert not model.trainable_variables
    yield Loaded(row, application, file, KerasEngine(model, store="float32"))
    import_keras().utils.clear_session()


@pytest.mark.parametrize("name", FROZEN)
def test_pixels_are_scaled_as_the_application_wants_them(name: str) -> None:
    row, images = BACKBONES[name], pictures(8)
    inputs = import_keras().Input((8, 8, 3), dtype="uint8")
    scaled = import_keras().Model(inputs, preprocess(inputs, row.preprocessing))(images)
    expected = module_of(row).preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-4)


def test_the_row_names_the_last_layer_and_the_weights_file(loaded: Loaded) -> None:
    assert loaded.application.layers[-1].name == loaded.row.layer
    assert loaded.file == _imagenet_file(loaded.row, loaded.row.min_size).name
    assert loaded.row.parameters == loaded.application.count_params()


def test_features_are_those_of_the_application_on_its_own_preprocessing(loaded: Loaded) -> None:
    images = pictures(loaded.row.min_size)
    features = compute(loaded.engine, images)
    scaled = module_of(loaded.row).preprocess_input(images.astype(np.float32))
    expected = np.asarray(loaded.application(scaled, training=False))
    assert features.dtype == np.float32
    assert features.shape == expected.shape == (BATCH, *loaded.engine.feature_shapes[0])
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_random_filters_tell_pictures_apart(loaded: Loaded) -> None:
    one, other = compute(loaded.engine, pictures(loaded.row.min_size))
    assert np.isfinite(one).all()
    smallest_float16 = 6e-8
    assert np.abs(one - other).max() > 100 * smallest_float16


def test_a_row_does_not_depend_on_its_neighbours(loaded: Loaded) -> None:
    images = pictures(loaded.row.min_size)
    padded = images.copy()
    padded[1] = 0
    np.testing.assert_array_equal(compute(loaded.engine, images)[0], compute(loaded.engine, padded)[0])


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param(name, size, marks=[] if name == "mobilenet" or size == 150 else pytest.mark.torture)
        for name in FROZEN
        if BACKBONES[name].weights_sizes
        for size in (96, 128, 150)
    ],
)
def test_the_weights_file_follows_the_image_size(name: str, size: int) -> None:
    _, file = build_for_imagenet(BACKBONES[name], size)
    assert file == _imagenet_file(BACKBONES[name], size).name


@pytest.mark.parametrize("name", ["vgg16", pytest.param("mobilenet", marks=pytest.mark.torture)])
def test_random_filters_depend_on_their_seed_alone(name: str) -> None:
    def filters(seed: int) -> list[np.ndarray]:
        weights = resolve_weights(name, f"random:{seed}", 32)
        return load_backbone(name, [Cut(BACKBONES[name].layer)], weights=weights, image_size=32).get_weights()

    first, again, other = filters(1), filters(1), filters(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_several_cuts_with_pooling() -> None:
    weights = resolve_weights("vgg16", "random", 32)
    cuts = [Cut("block2_pool"), Cut("block2_pool", "avg"), Cut("block2_pool", "max"), Cut("block5_pool")]
    model = load_backbone("vgg16", cuts, weights=weights, image_size=32)
    engine = KerasEngine(model, store="float32")
    plain, average, maximum, last = engine.fetch(engine.submit(pictures(32)))
    assert engine.feature_shapes == [(8, 8, 128), (128,), (128,), (1, 1, 512)]
    assert (plain.shape, last.shape) == ((BATCH, 8, 8, 128), (BATCH, 1, 1, 512))
    np.testing.assert_allclose(average, plain.mean(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_array_equal(maximum, plain.max(axis=(1, 2)))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_other_arithmetic_gives_nearly_the_same(precision: str) -> None:
    weights = resolve_weights("vgg16", "random", 32)
    results = []
    for each in ("float32", precision):
        model = load_backbone("vgg16", [Cut("block3_pool")], weights=weights, image_size=32, precision=each)
        results.append(compute(KerasEngine(model, store="float32"), pictures(32)))
    assert not np.array_equal(*results)
    np.testing.assert_allclose(*results, atol=0.05 * results[0].max())
    assert import_keras().config.dtype_policy().name == "float32"


def test_an_unknown_layer_is_refused_with_the_choices() -> None:
    weights = resolve_weights("vgg16", "random", 32)
    with pytest.raises(
        UsageError,
        match=r"unknown layer of vgg16 'block3_pol' \(did you mean 'block3_pool'\?\): "
        r"choose from block1_conv1, .*block5_pool",
    ):
        load_backbone("vgg16", [Cut("block3_pol")], weights=weights, image_size=32)
