"""The table of frozen bases, each tied to its own preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pipeline.errors import UsageError, unknown

POOLINGS = ("none", "avg", "max")
"""What may follow a layer of Keras."""
ALL_POOLINGS = (*POOLINGS, "cls")
"""The class token is one of transformers, which come as files."""

_TF = "_weights_tf_dim_ordering_tf_kernels_notop.h5"
_MOBILENET_V2 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{{size}}_no_top.h5"
_MOBILENET_V2_SIZES = (96, 128, 160, 192, 224)


@dataclass(frozen=True)
class Backbone:
    """One row of the table: everything that differs between two frozen bases.

    Attributes:
        factory: Name in ``keras.applications``; empty for ``pixels``.
        parameters: Number of its weights, without the top.
        preprocessing: ``caffe`` (BGR minus mean), ``tf`` (-1..1), ``torch`` (normalised), ``builtin`` (the
            base does it itself) or ``none``: what the base was trained with, never a user's choice.
        layer: Name of the last layer, the default cut.
        weights_file: Name of Keras's ImageNet file without top; ``{size}`` where it depends on the size.
        weights_sizes: Image sizes for which such a file exists; the last one serves all others.
        min_size: Smallest image size in pixels.
        options: Further arguments of the factory.
    """

    factory: str
    parameters: int
    preprocessing: str
    layer: str
    weights_file: str = ""
    weights_sizes: tuple[int, ...] = ()
    min_size: int = 32
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


BACKBONES: Mapping[str, Backbone] = MappingProxyType(
    {
        "vgg16": Backbone("VGG16", 14_714_688, "caffe", "block5_pool", "vgg16" + _TF),
        "vgg19": Backbone("VGG19", 20_024_384, "caffe", "block5_pool", "vgg19" + _TF),
        "resnet50": Backbone("ResNet50", 23_587_712, "caffe", "conv5_block3_out", "resnet50" + _TF),
        "resnet101": Backbone("ResNet101", 42_658_176, "caffe", "conv5_block3_out", "resnet101" + _TF),
        "resnet50_v2": Backbone("ResNet50V2", 23_564_800, "tf", "post_relu", "resnet50v2" + _TF),
        "inception_v3": Backbone(
            "InceptionV3", 21_802_784, "tf", "mixed10", "inception_v3" + _TF, min_size=75
        ),
        "xception": Backbone(
            "Xception", 20_861_480, "tf", "block14_sepconv2_act", "xception" + _TF, min_size=71
        ),
        "mobilenet": Backbone(
            "MobileNet",
            3_228_864,
            "tf",
            "conv_pw_13_relu",
            "mobilenet_1_0_{size}_tf_no_top.h5",
            (128, 160, 192, 224),
        ),
        "mobilenet_v2": Backbone(
            "MobileNetV2", 2_257_984, "tf", "out_relu", _MOBILENET_V2.format(alpha="1.0"), _MOBILENET_V2_SIZES
        ),
        "mobilenet_v2_035": Backbone(
            "MobileNetV2",
            410_208,
            "tf",
            "out_relu",
            _MOBILENET_V2.format(alpha="0.35"),
            _MOBILENET_V2_SIZES,
            options=MappingProxyType({"alpha": 0.35}),
        ),
        "densenet121": Backbone("DenseNet121", 7_037_504, "torch", "relu", "densenet121" + _TF),
        "efficientnet_b0": Backbone(
            "EfficientNetB0", 4_049_571, "builtin", "top_activation", "efficientnetb0_notop.h5"
        ),
        "efficientnet_v2_b0": Backbone(
            "EfficientNetV2B0", 5_919_312, "builtin", "top_activation", "efficientnetv2-b0_notop.h5"
        ),
        "convnext_tiny": Backbone(
            "ConvNeXtTiny", 27_820_128, "builtin", "layer_normalization", "convnext_tiny_notop.h5"
        ),
        "pixels": Backbone("", 0, "none", "pixels", min_size=1),
    }
)


@dataclass(frozen=True)
class Cut:
    """Where a base is cut: the output of a layer, globally pooled or not.

    Attributes:
        layer: Name of a Keras layer, or of a tensor of a file.
        pooling: ``none``, ``avg``, ``max``, or of tokens ``cls``.
    """

    layer: str
    pooling: str = "none"

    def __post_init__(self) -> None:
        if self.pooling not in ALL_POOLINGS:
            raise unknown("pooling", self.pooling, ALL_POOLINGS)

    @classmethod
    def parse(cls, text: str, *, pooling: str = "none") -> Cut:
        """Reads ``layer`` or ``layer:pooling``.

        Args:
            text: The cut.
            pooling: Its pooling where it does not say.

        Raises:
            UsageError: The pooling is not among the choices.
        """
        layer, colon, own = text.rpartition(":")
        if not colon or own.isdecimal():  # TensorFlow's tensors are called "name:0"
            return cls(text, pooling)
        return cls(layer, own or pooling)

    def __str__(self) -> str:
        return f"{self.layer}:{self.pooling}"


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
