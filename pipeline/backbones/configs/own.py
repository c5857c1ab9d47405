"""A TOML file of ours, with the name of the network: seven lines that leave nothing open."""

from __future__ import annotations

import tomllib
from typing import Any

from pipeline.backbones.preprocessing import CHANNELS, LAYOUTS, Preprocessing, triple
from pipeline.errors import UsageError
from pipeline.images.geometry import Geometry
from pipeline.images.resizing import FILTERS

NAME = "*.toml"
ORDER = 0

FIELDS = ("size", "resize", "crop", "channels", "scale", "mean", "std")
SQUASH = "squash"


def read(text: str, origin: str) -> Preprocessing:
    """Reads it; all fields are required but ``layout``, which most graphs show."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {error}") from error
    missing = [name for name in FIELDS if name not in said]
    odd = sorted(set(said) - {*FIELDS, "layout"})
    if missing or odd:
        trouble = f"lacks {', '.join(missing)}" if missing else f"has an unknown field {odd[0]!r}"
        raise ValueError(trouble)
    size = said["size"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ValueError(f"has size = {size!r}, which is no number of pixels")
    return Preprocessing(
        origin=origin,
        size=size,
        filter=_one_of(said, "resize", FILTERS),
        geometry=_geometry(said["crop"], size),
        channels=_one_of(said, "channels", CHANNELS),
        layout=_one_of(said, "layout", LAYOUTS) if "layout" in said else "",
        scale=_scale(said["scale"]),
        mean=_triple(said, "mean"),
        std=_triple(said, "std"),
    )


def write(preprocessing: Preprocessing) -> str:
    """Returns the text of such a file."""
    geometry = str(preprocessing.geometry) or SQUASH
    layout = f'layout = "{preprocessing.layout}"\n' if preprocessing.layout else ""
    return (
        f"size = {preprocessing.size}\n"
        f'resize = "{preprocessing.filter}"\n'
        f'crop = "{geometry}"\n'
        f'channels = "{preprocessing.channels}"\n'
        f"{layout}"
        f"scale = {float(preprocessing.scale)!r}\n"
        f"mean = {list(map(float, preprocessing.mean))}\n"
        f"std = {list(map(float, preprocessing.std))}\n"
    )


def _one_of(said: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    if said[name] not in choices:
        raise ValueError(f"has {name} = {said[name]!r}: choose from {', '.join(choices)}")
    return str(said[name])


def _geometry(crop: object, size: int) -> Geometry:
    if crop == SQUASH:
        return Geometry()
    if isinstance(crop, int | float) and not isinstance(crop, bool) and 0 < crop <= 1:
        return Geometry(int(size / crop), keeps_ratio=True)
    try:
        return Geometry.parse(str(crop))
    except UsageError:
        raise ValueError(
            f"has crop = {crop!r}: give the share of the shorter edge that is shown, above 0 and up to 1, or "
            f'"{SQUASH}" where the whole picture is squashed into the square'
        ) from None


def _scale(value: object) -> float:
    """Reads a number, or a fraction as a text: ``1/255``."""
    try:
        if isinstance(value, str):
            above, _, below = value.partition("/")
            return float(above) / float(below or 1)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except (ValueError, ZeroDivisionError):
        pass
    raise ValueError(f'has scale = {value!r}: give a number, or a fraction such as "1/255"')


def _triple(said: dict[str, Any], name: str) -> tuple[float, float, float]:
    try:
        return triple(said[name] if isinstance(said[name], list) else [said[name]])
    except ValueError as error:
        raise ValueError(f"has an unfit {name}: {error}") from None
