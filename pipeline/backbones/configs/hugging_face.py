"""``preprocessor_config.json`` of the Hugging Face hub: the image processor of a network.

Where a field is missing, the class of the processor says what it is.

Source: ``transformers.models.*.image_processing_*``, defaults of ``__init__``; ``resize`` of
``ConvNextImageProcessor``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.backbones.configs import NotOfThisKindError
from pipeline.backbones.preprocessing import Preprocessing, Triple, triple
from pipeline.images.geometry import Geometry
from pipeline.plain_json import parse_json

NAME = "preprocessor_config.json"
ORDER = 1

_HALF: Triple = (0.5, 0.5, 0.5)
_IMAGENET: tuple[Triple, Triple] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP: tuple[Triple, Triple] = (
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
_UNSAID, _BILINEAR, _BICUBIC = 0, 2, 3  # what is unsaid differs between versions
_FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Filters by Pillow's numbers."""
_NO_CROP_FROM = 384
"""Side from which ConvNeXt squashes."""


@dataclass(frozen=True)
class _Class:
    """What a processor does where its file does not say.

    Attributes:
        size: Sides after resizing, or the shorter one.
        resample: Pillow's number of the filter.
        moments: Mean and standard deviation.
        crop: Side of the square that is cut out; 0 = nothing is cut off.
        by_share: Whether ``crop_pct`` says how much is cut off.
    """

    size: dict[str, int]
    resample: int
    moments: tuple[Triple, Triple]
    crop: int = 0
    by_share: bool = False


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


_CLASSES = {
    "Bit": _Class({"shortest_edge": 224}, _BICUBIC, _CLIP, crop=224),
    "CLIP": _Class({"shortest_edge": 224}, _BICUBIC, _CLIP, crop=224),
    "ChineseCLIP": _Class(_square(224), _BICUBIC, _CLIP, crop=224),
    "ConvNext": _Class({"shortest_edge": 384}, _UNSAID, (_HALF, _HALF), by_share=True),
    "DINOv3ViT": _Class(_square(224), _BILINEAR, _IMAGENET),
    "DeiT": _Class(_square(256), _BICUBIC, (_HALF, _HALF), crop=224),
    "MobileNetV2": _Class({"shortest_edge": 256}, _BILINEAR, (_HALF, _HALF), crop=224),
    "Siglip": _Class(_square(224), _BICUBIC, (_HALF, _HALF)),
    "ViT": _Class(_square(224), _BILINEAR, (_HALF, _HALF)),
}
_ENDINGS = ("ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor")
_KNOWN = {
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct", "do_rescale"),
    *("rescale_factor", "do_normalize", "image_mean", "image_std"),
}
_MEANINGLESS = {
    *("image_processor_type", "feature_extractor_type", "processor_class", "do_convert_rgb", "data_format"),
    *("input_data_format", "return_tensors", "device", "default_to_square", "disable_grouping", "auto_map"),
    "_valid_processor_keys",
}
"""Fields that change no pixel of the square that a photograph becomes."""


def read(text: str, origin: str) -> Preprocessing:
    """Reads it; a class that is not known here is refused, and so is a field that might change pixels."""
    said = parse_json(text)
    if not isinstance(said, dict):
        raise NotOfThisKindError
    kind = said.get("image_processor_type") or said.get("feature_extractor_type")
    names = {f"{name}{ending}": usual for name, usual in _CLASSES.items() for ending in _ENDINGS}
    if not isinstance(kind, str) or kind not in names:
        known = ", ".join(f"{name}ImageProcessor" for name in _CLASSES)
        raise ValueError(f"is of image_processor_type {kind!r}, which is not known here; known are {known}")
    usual = names[kind]
    odd = sorted(key for key in set(said) - _KNOWN - _MEANINGLESS if said[key] not in (None, False, {}, []))
    if odd:
        raise ValueError(f"has {odd[0]} = {str(said[odd[0]])[:40]}, whose meaning is not known here")
    if said.get("do_resize") is False:
        raise ValueError("does not resize (do_resize is false), and pictures of one size are needed")
    size, geometry = _shape(said, usual)
    resample = usual.resample if said.get("resample") is None else said["resample"]
    if said.get("resample") is None and usual.resample == _UNSAID:
        raise ValueError("lacks resample, the filter, which versions of its class differ in")
    if not isinstance(resample, int) or resample not in _FILTERS:
        raise ValueError(f"has resample = {resample!r}: known are 1 (Lanczos), 2 (bilinear) and 3 (bicubic)")
    normalises = said.get("do_normalize") is not False
    mean, std = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    if normalises:
        mean = _moments(said, "image_mean", usual.moments[0])
        std = _moments(said, "image_std", usual.moments[1])
    return Preprocessing(
        origin=origin,
        size=size,
        filter=_FILTERS[resample],
        geometry=geometry,
        channels="rgb",
        scale=_number(said, "rescale_factor", 1 / 255) if said.get("do_rescale") is not False else 1.0,
        mean=mean,
        std=std,
    )


def _shape(said: dict[str, Any], usual: _Class) -> tuple[int, Geometry]:
    """Returns the side of the square, and which part of a picture it shows."""
    edge, keeps_ratio = _edge(said.get("size") or usual.size, usual)
    if usual.by_share and keeps_ratio:
        share = _number(said, "crop_pct", 224 / 256)
        if edge >= _NO_CROP_FROM:
            return edge, Geometry()
        if not 0 < share <= 1:
            raise ValueError(f"has crop_pct = {share!r}, which is no share")
        return edge, Geometry(int(edge / share), keeps_ratio=True)
    if said.get("crop_pct") is not None:
        raise ValueError("has a crop_pct, which its class does not use")
    crops = bool(said.get("do_center_crop", bool(usual.crop)))
    if not crops:
        if keeps_ratio:
            raise ValueError("makes pictures that are no squares (shortest_edge without do_center_crop)")
        return edge, Geometry()
    crop = said.get("crop_size") or usual.crop
    if not crop:
        raise ValueError("cuts out the centre (do_center_crop), and lacks crop_size")
    side, _ = _edge(crop, usual, what="crop_size")
    return side, Geometry() if not keeps_ratio and edge == side else Geometry(edge, keeps_ratio)


def _edge(said: object, usual: _Class, what: str = "size") -> tuple[int, bool]:
    """Returns a number of pixels, and whether it is that of the shorter edge only."""
    if isinstance(said, int) and not isinstance(said, bool) and said > 0:
        return said, "shortest_edge" in usual.size and what == "size"
    if isinstance(said, dict) and all(isinstance(one, int) and one > 0 for one in said.values()):
        if set(said) == {"height", "width"} and said["height"] == said["width"]:
            return said["height"], False
        if set(said) == {"shortest_edge"}:
            return said["shortest_edge"], True
    raise ValueError(f"has {what} = {str(said)[:60]}: known are one number, a square, and a shortest_edge")


def _moments(said: dict[str, Any], name: str, usual: Triple) -> Triple:
    value = said.get(name)
    if value is None:
        return usual
    try:
        return triple(value if isinstance(value, list) else [value] * 3)
    except ValueError as error:
        raise ValueError(f"has an unfit {name}: {error}") from None


def _number(said: dict[str, Any], name: str, usual: float) -> float:
    value = said.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"has {name} = {str(value)[:40]!r}, which is no number")
    return float(value)
