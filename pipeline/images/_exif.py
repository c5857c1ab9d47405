"""The one EXIF field that changes pixels: how the camera was held."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

_ORIENTATION = 0x0112
_UNSIGNED = {3: "H", 4: "L"}

_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}


def orientation(exif: bytes) -> int:
    """Reads the orientation tag from an EXIF block; whatever is damaged counts as upright.

    Pillow's reader loads every tag and warns about each broken one; this one looks at twelve bytes a tag.

    Args:
        exif: A TIFF header with directories, with or without the ``Exif`` prefix of JPEG files.

    Returns:
        1 to 8 as in the EXIF 2.32 standard (tag 0x0112); 1 = upright.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
            if tag == _ORIENTATION and kind in _UNSIGNED:
                (value,) = struct.unpack_from(order + _UNSIGNED[kind], tiff, entry + 8)
                return value if value in _UPRIGHT else 1
    except struct.error:
        pass
    return 1


def upright(pixels: np.ndarray, exif: bytes | None) -> np.ndarray:
    """Turns a square picture the right way up.

    Args:
        pixels: uint8 (size, size, 3) as stored in the file.
        exif: The file's EXIF block, if it has one.

    Returns:
        uint8 (size, size, 3), C-contiguous; the same array where nothing is to be turned.
    """
    return turned(pixels, orientation(exif)) if exif else pixels


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns a square picture by an orientation of 1 to 8; any other number counts as upright."""
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))
