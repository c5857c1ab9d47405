"""Resizing: what makes a picture larger or smaller, by the name that a spec has for it.

All are bilinear and, where a picture becomes smaller, antialiased: a pixel is the mean of all that it covers,
weighted by a triangle. They differ in the bits of those weights, and so by a grey level here and there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from pipeline.errors import UsageError, unknown
from pipeline.memory import can_have

PILLOW = "bilinear-antialias"
CYKOOZ = "bilinear-antialias-cykooz"
RESIZES = (CYKOOZ, PILLOW)
"""The quickest first."""
PACKAGE = "cykooz-resizer"

Box = tuple[float, float, float, float]
Resize = Callable[[Image.Image, int, Box | None], Image.Image]
"""Maps a picture of mode RGB or L, a side in pixels and the part to be used (left, top, right, bottom; None =
all) to a square picture of the same mode."""

_LONGEST = 32_768
"""Longer pictures are left to Pillow: between the two passes they would be far larger than they are."""
_KNOWN_ANSWER = "61111c1c30f174a3cebba3462250b563"


def by_pillow(image: Image.Image, size: int, box: Box | None = None) -> Image.Image:
    """Resizes any picture, with weights of 22 bits."""
    return image.resize((size, size), Image.Resampling.BILINEAR, box)


def find_resize(name: str) -> Resize:
    """Returns what a spec calls ``name``; safe in threads.

    Raises:
        UsageError: There is no such resize, or it cannot be had on this machine.
    """
    if name not in RESIZES:
        raise unknown("resize", name, RESIZES)
    return by_pillow if name == PILLOW else _cykooz()


def quickest_resize() -> tuple[str, str]:
    """Names the quickest resize of this machine, and says why it is not the quickest of all; mostly empty."""
    try:
        _cykooz()
    except UsageError as error:
        return PILLOW, str(error)
    return CYKOOZ, ""


@cache
def _cykooz() -> Resize:
    """Loads the Rust library fast_image_resize: weights of 16 bits, vector instructions of this machine.

    Its numbers are the same with any of them. A known answer makes sure of that, and of later versions.

    Raises:
        UsageError: It is not installed, or does not give the known answer.
    """
    instead = (
        f"pip install '{PACKAGE}>=4.0.1,<5', or extract and train with --resize {PILLOW}, which is slower"
    )
    try:
        from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
    except ImportError as error:
        broken = "" if isinstance(error, ModuleNotFoundError) else f", which cannot be loaded ({error})"
        raise UsageError(f"resize {CYKOOZ!r} needs the package {PACKAGE}{broken}: {instead}") from error
    bilinear = ResizeAlg.convolution(FilterType.bilinear)
    whole = ResizeOptions(bilinear, use_alpha=False)

    def resize(image: Image.Image, size: int, box: Box | None = None) -> Image.Image:
        if max(image.size) > _LONGEST:
            return by_pillow(image, size, box)
        if not can_have(4 * size * (image.height + size)):  # where memory is short, it ends the process
            raise MemoryError
        options = whole
        if box is not None and box != (0, 0, *image.size):
            left, top, right, bottom = box
            options = ResizeOptions(bilinear, False, CropBox(left, top, right - left, bottom - top))
        resized = Image.new(image.mode, (size, size), None)
        Resizer().resize_pil(image, resized, options)  # one for each picture: two threads would share a lock
        return resized

    if _answer(resize) != _KNOWN_ANSWER:
        raise UsageError(f"resize {CYKOOZ!r} makes other numbers on this machine than elsewhere: {instead}")
    return resize


def _answer(resize: Resize) -> str:
    """Resizes a known picture in several ways; 32 hex digits of the SHA-256 of what comes of it."""
    numbers = np.arange(47 * 61 * 3, dtype=np.uint64)
    picture = Image.fromarray((numbers * numbers * 40503 >> 7 & 255).astype(np.uint8).reshape(47, 61, 3))
    answers = [
        resize(one, size, box).tobytes()
        for one in (picture, picture.convert("L"))
        for size, box in ((7, None), (32, (0.0, 0.0, 60.25, 46.5)), (100, None))
    ]
    return hashlib.sha256(b"".join(answers)).hexdigest()[:32]
