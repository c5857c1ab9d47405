"""The table of frozen bases, each tied to its own preprocessing, and how one is loaded."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from pipeline.errors import UsageError, unknown
from pipeline.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras

    from pipeline.extraction.weights import Weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
POOLINGS = ("none", "avg", "max")


@dataclass(frozen=True)
class Backbone:
    """One row of the table: everything that differs between two frozen bases.

    Attributes:
        factory: Name in ``keras.applications``; empty for ``pixels``.
        preprocessing: ``caffe`` (BGR minus mean), ``tf`` (-1..1), ``torch`` (normalised), ``builtin`` (the
            base does it itself) or ``none``: what the base was trained with, never a user's choice.
        layer: Name of the last layer, the default cut.
        weights_file: Name of Keras's ImageNet file without top; ``{size}`` where it depends on the size.
        weights_sizes: Image sizes for which such a file exists; the last one serves all others.
        min_size: Smallest image size in pixels.
        options: Further arguments of the factory.
    """

    factory: str
    preprocessing: str
    layer: str
    weights_file: str = ""
    weights_sizes: tuple[int, ...] = ()
    min_size: int = 32
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


_TF = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
_MOBILENET_V2 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{{size}}_no_top.h5"
_MOBILENET_V2_SIZES = (96, 128, 160, 192, 224)

BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        "vgg16": Backbone("VGG16", "caffe", "block5_pool", "vgg16" + _TF),
        "vgg19": Backbone("VGG19", "caffe", "block5_pool", "vgg19" + _TF),
        "resnet50": Backbone("ResNet50", "caffe", "conv5_block3_out", "resnet50" + _TF),
        "resnet101": Backbone("ResNet101", "caffe", "conv5_block3_out", "resnet101" + _TF),
        "resnet50_v2": Backbone("ResNet50V2", "tf", "post_relu", "resnet50v2" + _TF),
        "inception_v3": Backbone("InceptionV3", "tf", "mixed10", "inception_v3" + _TF, min_size=75),
        "xception": Backbone("Xception", "tf", "block14_sepconv2_act", "xception" + _TF, min_size=71),
        "mobilenet": Backbone(
            "MobileNet", "tf", "conv_pw_13_relu", "mobilenet_1_0_{size}_tf_no_top.h5", (128, 160, 192, 224)
        ),
        "mobilenet_v2": Backbone(
            "MobileNetV2", "tf", "out_relu", _MOBILENET_V2.format(alpha="1.0"), _MOBILENET_V2_SIZES
        ),
        "mobilenet_v2_035": Backbone(
            "MobileNetV2",
            "tf",
            "out_relu",
            _MOBILENET_V2.format(alpha="0.35"),
            _MOBILENET_V2_SIZES,
            options=MappingProxyType({"alpha": 0.35}),
        ),
        "densenet121": Backbone("DenseNet121", "torch", "relu", "densenet121" + _TF),
        "efficientnet_b0": Backbone("EfficientNetB0", "builtin", "top_activation", "efficientnetb0_notop.h5"),
        "efficientnet_v2_b0": Backbone(
            "EfficientNetV2B0", "builtin", "top_activation", "efficientnetv2-b0_notop.h5"
        ),
        "convnext_tiny": Backbone("ConvNeXtTiny", "builtin", "layer_normalization", "convnext_tiny_notop.h5"),
        "pixels": Backbone("", "none", "pixels", min_size=1),
    }
)


@dataclass(frozen=True)
class Cut:
    """Where a base is cut: the output of a layer, globally pooled or not.

    Attributes:
        layer: Keras layer name.
        pooling: ``none``, ``avg`` or ``max``.
    """

    layer: str
    pooling: str = "none"

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise unknown("pooling", self.pooling, POOLINGS)


def find_backbone(name: str, image_size: int) -> Backbone:
    """Returns a row of the table, checked against the image size.

    Raises:
        UsageError: No such backbone, or images of this size are too small for it.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    row = BACKBONES[name]
    if image_size < row.min_size:
        raise UsageError(
            f"--image-size {image_size} is too small for {name}: it needs at least {row.min_size}"
        )
    return row


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
    layers = {layer.name: layer.output for layer in base.layers[1:]} | {row.layer: base.output}
    for cut in cuts:
        if cut.layer not in layers:
            raise unknown(f"layer of {name}", cut.layer, layers)
    features = keras.Model(base.input, [layers[cut.layer] for cut in cuts])
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="images")
    outputs = features(_preprocess(images, row.preprocessing), training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    model = keras.Model(
        images, [_pool(output, cut.pooling) for output, cut in zip(outputs, cuts, strict=True)]
    )
    model.trainable = False
    return model


def build_application(row: Backbone, image_size: int, *, imagenet: bool) -> keras.Model:
    """Builds a base as Keras does, without its top; absent ImageNet filters are downloaded."""
    keras = import_keras()
    # Keras prints its download bar on stdout, and warns that a MobileNet takes the filters of another size.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`input_shape` is undefined", UserWarning)
        return getattr(keras.applications, row.factory)(
            weights="imagenet" if imagenet else None,
            include_top=False,
            input_shape=(image_size, image_size, 3),
            **row.options,
        )


def _build_base(name: str, row: Backbone, weights: Weights, image_size: int, precision: str) -> keras.Model:
    keras = import_keras()
    keras.utils.clear_session(free_memory=False)  # automatic layer names start at the same number every time
    imagenet = weights.label == "imagenet"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        base = build_application(row, image_size, imagenet=imagenet)
        if weights.path is not None and not imagenet:
            _load_filters(base, weights.path)
            if row.factory == "EfficientNetB0":
                _divide_by_deviation(base)
    except (ValueError, OSError, KeyError, BadZipFile, UserWarning) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"weights {weights.label!r} do not fit {name} ({reason}). Give the file saved from this base "
            "without its top, or choose --weights imagenet or --weights random"
        ) from error
    finally:
        keras.config.set_dtype_policy(before)
    if weights.seed is not None:
        _draw_filters(base, weights.seed)
    return base


def _load_filters(base: keras.Model, path: Path) -> None:
    """Reads a weights file; where Keras would warn that some layers keep their fresh filters, it fails."""
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


def _preprocess(images: keras.KerasTensor, mode: str) -> keras.KerasTensor:
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
