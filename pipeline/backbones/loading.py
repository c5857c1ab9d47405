"""Loading a frozen base: filters, preprocessing and cuts as one model from pixels to features."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from pipeline.backbones.cuts import clean_cuts
from pipeline.backbones.table import BACKBONES, Backbone, Cut, find_backbone
from pipeline.backbones.weights import Weights
from pipeline.errors import UsageError, reason_of, unknown
from pipeline.guards.hdf5 import refuse_foreign_parts
from pipeline.runtimes.keras import build_application, import_keras

if TYPE_CHECKING:
    import keras

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


def load_backbone(
    name: str, cuts: Sequence[Cut], *, weights: Weights, image_size: int, precision: str = "float32"
) -> keras.Model:
    """Builds a frozen base with its preprocessing inside.

    Args:
        name: A row of ``BACKBONES`` other than ``pixels``.
        cuts: What to return for each image.
        weights: Where the filters come from.
        image_size: Height and width in pixels.
        precision: Keras dtype policy of the base: ``float32``, ``bfloat16`` or ``float16``.

    Returns:
        A model from uint8 (n, image_size, image_size, 3) RGB to a float tensor (n, *feature shape), or to a
        list of them where there are several cuts.

    Raises:
        UsageError: A layer is unknown, or the weights cannot be had or do not fit.
    """
    keras = import_keras()
    row = find_backbone(name, image_size)
    base = _build_base(name, row, weights, image_size, precision)
    _refuse_unclean(name, base, [cut.layer for cut in cuts])
    features = keras.Model(base.input, [base.get_layer(cut.layer).output for cut in cuts])
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="images")
    outputs = features(preprocess(images, row.preprocessing), training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    model = keras.Model(
        images, [_pool(output, cut.pooling) for output, cut in zip(outputs, cuts, strict=True)]
    )
    model.trainable = False
    return model


def upper_part(
    name: str, layer: str | None, *, image_size: int, weights: Weights | None = None
) -> keras.Model:
    """Builds what a base does above a clean cut, in float32 and ready to be trained further.

    Args:
        name: A row of ``BACKBONES`` other than ``pixels``.
        layer: The cut; None for the whole base, which takes preprocessed pixels.
        image_size: Height and width of the images in pixels.
        weights: Where the filters come from; None leaves them untrained, to be loaded from elsewhere.

    Returns:
        A model from the features of the cut to those of the base's last layer.

    Raises:
        UsageError: The layer is unknown or no clean cut, or the weights do not fit.
    """
    keras = import_keras()
    base = _build_base(name, find_backbone(name, image_size), weights, image_size, "float32")
    if layer is None:
        return base
    _refuse_unclean(name, base, [layer])
    return keras.Model(base.get_layer(layer).output, base.output)


def describe_cuts(name: str, image_size: int) -> list[tuple[str, tuple[int, ...]]]:
    """Lists the clean cuts of a base with the shape of one image's features at each, in order.

    Raises:
        UsageError: No such backbone, or images of this size are too small for it.
    """
    row = find_backbone(name, image_size)
    if not row.factory:
        return [(row.layer, (image_size, image_size, 3))]
    base = _build_base(name, row, None, image_size, "float32")
    return [(layer, tuple(base.get_layer(layer).output.shape[1:])) for layer in clean_cuts(base)]


def fits(name: str, path: Path) -> bool:
    """Tells whether a file holds filters of a base, by loading it layer by layer."""
    row = BACKBONES[name]
    try:
        _build_base(name, row, Weights("", path.name, path), row.min_size, "float32")
    except UsageError:
        return False
    return True


def _refuse_unclean(name: str, base: keras.Model, layers: Sequence[str]) -> None:
    clean, known = clean_cuts(base), {layer.name for layer in base.layers}
    see = f"`pipeline backbones {name}` shows their shapes"
    for layer in layers:
        if layer not in known:
            raise unknown(f"layer of {name}", layer, clean, next_step=see)
        if layer not in clean:
            raise UsageError(
                f"layer {layer!r} is no clean cut of {name}, because what lies above it needs other layers, "
                f"too: choose from {', '.join(clean)}. {see}"
            )


def _build_base(
    name: str, row: Backbone, weights: Weights | None, image_size: int, precision: str
) -> keras.Model:
    keras = import_keras()
    keras.utils.clear_session(free_memory=False)  # automatic layer names start at the same number every time
    imagenet = weights is not None and weights.label == "imagenet"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        base = build_application(row.factory, image_size, imagenet=imagenet, options=row.options)
        if weights is not None and weights.path is not None and not imagenet:
            _load_filters(base, weights.path)
            if row.factory == "EfficientNetB0":
                _divide_by_deviation(base)
    except (ValueError, OSError, KeyError, BadZipFile, UserWarning) as error:
        label = weights.label if weights else "none"
        raise UsageError(
            f"weights {label!r} do not fit {name} ({reason_of(error)}). Give the file saved from this base "
            "without its top, or choose --weights imagenet or --weights random"
        ) from error
    finally:
        keras.config.set_dtype_policy(before)
    if weights is not None and weights.seed is not None:
        _draw_filters(base, weights.seed)
    return base


def _load_filters(base: keras.Model, path: Path) -> None:
    """Reads a weights file; where Keras would warn that some layers keep their fresh filters, it fails."""
    import h5py

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            refuse_foreign_parts(path, file)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Skipping nested container", UserWarning)
        base.load_weights(path)


def _divide_by_deviation(base: keras.Model) -> None:
    """Adds to the normalisation what Keras builds into EfficientNetB0 for its own download only.

    The ImageNet filters need it wherever they come from (``keras/src/applications/efficientnet.py``).
    """
    normalization = base.get_layer("normalization")
    normalization.adapt_variance.assign(normalization.adapt_variance * np.array(IMAGENET_STD, np.float32))
    normalization.finalize_state()


def _draw_filters(base: keras.Model, seed: int) -> None:
    """Fills every kernel with seeded He-normal values (He et al. 2015, arXiv:1502.01852)."""
    for number, variable in enumerate(base.weights):
        if variable.path.endswith("kernel"):
            depthwise = variable.shape[-1] == 1  # (height, width, channels, 1): each channel by itself
            fan_in = np.prod(variable.shape[:2] if depthwise else variable.shape[:-1])
            draw = np.random.default_rng([seed, number]).standard_normal(variable.shape, np.float32)
            variable.assign(draw * np.sqrt(2.0 / fan_in, dtype=np.float32))


def preprocess(images: keras.KerasTensor, mode: str) -> keras.KerasTensor:
    """Scales pixels as the base was trained, in float32 whatever its own arithmetic is."""
    keras = import_keras()
    if mode == "caffe":
        offset = [-value for value in CAFFE_MEAN_BGR]
        return keras.layers.Rescaling(1.0, offset, dtype="float32")(keras.ops.flip(images, axis=-1))
    if mode == "tf":
        return keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(images)
    if mode == "torch":
        scale = [1 / (255 * std) for std in IMAGENET_STD]
        offset = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
        return keras.layers.Rescaling(scale, offset, dtype="float32")(images)
    return keras.layers.Rescaling(1.0, dtype="float32")(images)


def _pool(features: keras.KerasTensor, pooling: str) -> keras.KerasTensor:
    if pooling == "none" or len(features.shape) != 4:
        return features
    keras = import_keras()
    layers = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    return layers[pooling](dtype="float32")(features)
