"""``config.json`` of timm: the ``pretrained_cfg`` of a model, alone or inside it.

Source: ``timm.data.transforms_factory.transforms_imagenet_eval``, ``timm.models._pretrained.PretrainedCfg``.
"""

from __future__ import annotations

from typing import Any

from pipeline.backbones.configs import NotOfThisKindError
from pipeline.backbones.preprocessing import Preprocessing, Triple, triple
from pipeline.images.geometry import Geometry
from pipeline.images.resizing import FILTERS
from pipeline.plain_json import parse_json

NAME = "config.json"
ORDER = 2

_NEEDED = ("input_size", "interpolation", "crop_pct", "mean", "std")


def read(text: str, origin: str) -> Preprocessing:
    """Reads it; pixels are divided by 255 there, always."""
    said = parse_json(text)
    said = said.get("pretrained_cfg", said) if isinstance(said, dict) else None
    if not isinstance(said, dict) or not set(_NEEDED) & set(said):
        raise NotOfThisKindError  # other libraries have a config.json, too
    missing = [name for name in _NEEDED if said.get(name) is None]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)} in its pretrained_cfg")
    size = _size(said["input_size"])
    if said["interpolation"] not in FILTERS:
        raise ValueError(f"has interpolation = {said['interpolation']!r}: known are {', '.join(FILTERS)}")
    return Preprocessing(
        origin=origin,
        size=size,
        filter=said["interpolation"],
        geometry=_geometry(said, size),
        channels="rgb",
        scale=1 / 255,
        mean=_moments(said, "mean"),
        std=_moments(said, "std"),
    )


def _size(said: object) -> int:
    channels, height, width = said if isinstance(said, list) and len(said) == 3 else (0, 0, 0)
    if channels != 3 or height != width or not isinstance(height, int) or height < 1:
        raise ValueError(f"has input_size = {str(said)[:60]}: three channels and a square are known")
    return height


def _geometry(said: dict[str, Any], size: int) -> Geometry:
    share, mode = said["crop_pct"], said.get("crop_mode") or "center"
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise ValueError(f"has crop_pct = {str(share)[:40]}, which is no share")
    edge = int(size / share)
    if mode == "center":
        return Geometry(edge, keeps_ratio=True, even=True)
    if mode == "squash":
        return Geometry() if edge == size else Geometry(edge, even=True)
    raise ValueError(f"has crop_mode = {str(mode)[:40]!r}: known are center and squash")


def _moments(said: dict[str, Any], name: str) -> Triple:
    try:
        return triple(said[name] if isinstance(said[name], list) else [])
    except ValueError as error:
        raise ValueError(f"has an unfit {name}: {error}") from None
