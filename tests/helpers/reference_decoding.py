"""Decoding by Pillow alone, for comparison, and the formats that it is tried with."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

SIZE = 32
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "PPM": {},
}


def resized(pixels: np.ndarray, size: int = SIZE) -> np.ndarray:
    """What a plain resize gives, by Pillow alone."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR).convert("RGB"))


def furthest(a: np.ndarray, b: np.ndarray) -> int:
    """Returns the largest difference of two pictures."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def odd_tiff(encode: Callable[..., bytes], photo: np.ndarray) -> bytes:
    """A TIFF that Pillow warns about: one tag's data lies beyond the end of the file."""
    data = encode(photo, "TIFF", software="x" * 40)
    entry = data.index(struct.pack("<HH", 305, 2))
    return data[: entry + 8] + struct.pack("<L", 0x7FFFFFF0) + data[entry + 12 :]
