"""Resizing: what makes a picture larger or smaller, by the name that a spec has for it.

Where a picture becomes smaller, all are antialiased: a pixel is the mean of all that it covers, weighted by
the filter (a triangle for ``bilinear``). Those of one filter differ in the bits of their weights, and so by a
grey level here and there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from types import MappingProxyType

import numpy as np
from PIL import Image

from pipeline.errors import UsageError, unknown
from pipeline.images.geometry import Box, Geometry
from pipeline.memory import can_have

FILTERS = ("bilinear", "bicubic", "lanczos")
"""Bicubic is that of Pillow and torchvision, with a = -0.5; Lanczos has three lobes."""
_ANTIALIASED, _BY_PACKAGE = "-antialias", "-cykooz"
PACKAGE = "cykooz-resizer"

Sides = tuple[int, int]
Scaling = Callable[[Image.Image, Sides, Box | None], Image.Image]
"""Maps a picture of mode RGB or L, a width and a height in pixels, and the part to be used (None = all) to a
picture of the same mode."""

_LONGEST_SHAPE = 20
"""From this ratio of its sides on, a picture is not resized as a whole before most of it is cut off."""
_LONGEST = 32_768
"""Longer pictures are left to Pillow: between the two passes they would be far larger than they are."""
_OF_PACKAGE = {"bilinear": "bilinear", "bicubic": "catmull_rom", "lanczos": "lanczos3"}
_KNOWN_ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "bilinear": "61111c1c30f174a3cebba3462250b563",
        "bicubic": "719c84ad864f3b40a73be09e1738b931",
        "lanczos": "94bf188cd35fadf0b1b08d417ec0fb34",
    }
)


def resizes(filter: str) -> tuple[str, str]:
    """Names the resizes with a filter, the quickest first."""
    return f"{filter}{_ANTIALIASED}{_BY_PACKAGE}", f"{filter}{_ANTIALIASED}"


CYKOOZ, PILLOW = RESIZES = resizes("bilinear")
ALL_RESIZES = tuple(name for filter in FILTERS for name in resizes(filter))


def by_package(name: str) -> bool:
    """Tells whether a resize is that of the package."""
    return name.endswith(_BY_PACKAGE)


@dataclass(frozen=True)
class Resize:
    """What makes a square of a picture; safe in threads.

    Attributes:
        opaque: Resizes pictures of mode RGB or L.
        transparent: Resizes all others: Pillow, with the same filter; it may be the same.
        geometry: Which part of a picture becomes the square.
    """

    opaque: Scaling
    transparent: Scaling
    geometry: Geometry = field(default_factory=Geometry)

    def __call__(self, image: Image.Image, size: int, box: Box | None = None) -> Image.Image:
        """Resizes the part of a picture that belongs into the square.

        Args:
            image: Of mode RGB, L or RGBa.
            size: Height and width of the result in pixels.
            box: Where in ``image`` the picture is; None = all of it.
        """
        scaling = self.opaque if image.mode in ("RGB", "L") else self.transparent
        geometry = self.geometry
        if not geometry.edge:
            return scaling(image, (size, size), box)
        box = box or (0.0, 0.0, *image.size)
        across, down = geometry.resized(box[2] - box[0], box[3] - box[1], size)
        # Pillow takes the directions in an order that depends on the sides, and rounds between them: the
        # numbers are those of the whole picture only if that is what it resizes.
        if scaling is self.transparent and max(across, down) <= _LONGEST_SHAPE * min(across, down):
            left, top = geometry.corner(across, down, size)
            return scaling(image, (across, down), box).crop((left, top, left + size, top + size))
        return scaling(image, (size, size), geometry.part(box, size))


def _by_pillow(
    filter: Image.Resampling, image: Image.Image, sides: Sides, box: Box | None = None
) -> Image.Image:
    """Resizes any picture, with weights of 22 bits."""
    return image.resize(sides, filter, box)


@cache
def _pillow(filter: str) -> Resize:
    scaling = partial(_by_pillow, Image.Resampling[filter.upper()])
    return Resize(scaling, scaling)


by_pillow = _pillow("bilinear")


def find_resize(name: str, geometry: str = "") -> Resize:
    """Returns what a spec calls by the names of its ``resize`` and its ``geometry``.

    Raises:
        UsageError: There is no such resize, or it cannot be had on this machine.
    """
    if name not in ALL_RESIZES:
        raise unknown("resize", name, ALL_RESIZES)
    filter = name.partition("-")[0]
    found = _pillow(filter)
    if by_package(name):
        found = Resize(_cykooz(filter), found.transparent)
    return Resize(found.opaque, found.transparent, Geometry.parse(geometry)) if geometry else found


def quickest_resize(filter: str = "bilinear") -> tuple[str, str]:
    """Names the quickest resize of this machine, and says why it is not the quickest of all; mostly empty."""
    quickest, everywhere = resizes(filter)
    try:
        _cykooz(filter)
    except UsageError as error:
        return everywhere, str(error)
    return quickest, ""


@cache
def _cykooz(filter: str) -> Scaling:
    """Loads the Rust library fast_image_resize: weights of 16 bits, vector instructions of this machine.

    Its numbers are the same with any of them. A known answer makes sure of that, and of later versions.

    Raises:
        UsageError: It is not installed, or does not give the known answer.
    """
    name, everywhere = resizes(filter)
    instead = (
        f"pip install '{PACKAGE}>=4.0.1,<5', or extract and train with --resize {everywhere}, which is slower"
    )
    try:
        from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
    except ImportError as error:
        broken = "" if isinstance(error, ModuleNotFoundError) else f", which cannot be loaded ({error})"
        raise UsageError(f"resize {name!r} needs the package {PACKAGE}{broken}: {instead}") from error
    weights = ResizeAlg.convolution(getattr(FilterType, _OF_PACKAGE[filter]))
    whole = ResizeOptions(weights, use_alpha=False)
    pillow = _pillow(filter).transparent

    def resize(image: Image.Image, sides: Sides, box: Box | None = None) -> Image.Image:
        if max(image.size) > _LONGEST:
            return pillow(image, sides, box)
        if not can_have(
            4 * sides[0] * (image.height + sides[1])
        ):  # where memory is short, it ends the process
            raise MemoryError
        options = whole
        if box is not None and box != (0, 0, *image.size):
            left, top, right, bottom = box
            options = ResizeOptions(weights, False, CropBox(left, top, right - left, bottom - top))
        resized = Image.new(image.mode, sides, None)
        Resizer().resize_pil(image, resized, options)  # one for each picture: two threads would share a lock
        return resized

    if _answer(resize) != _KNOWN_ANSWERS[filter]:
        raise UsageError(f"resize {name!r} makes other numbers on this machine than elsewhere: {instead}")
    return resize


def _answer(resize: Scaling) -> str:
    """Resizes a known picture in several ways; 32 hex digits of the SHA-256 of what comes of it."""
    numbers = np.arange(47 * 61 * 3, dtype=np.uint64)
    picture = Image.fromarray((numbers * numbers * 40503 >> 7 & 255).astype(np.uint8).reshape(47, 61, 3))
    answers = [
        resize(one, (size, size), box).tobytes()
        for one in (picture, picture.convert("L"))
        for size, box in ((7, None), (32, (0.0, 0.0, 60.25, 46.5)), (100, None))
    ]
    return hashlib.sha256(b"".join(answers)).hexdigest()[:32]
