"""Small sets of pictures deeper than 8 bits, bright and dark ones, as people have them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tiffs import DEFLATE, GREY_INVERTED, RGB, tiff

LEVELS = {"pos": 150, "neg": 90}
"""Mean grey level, 0 to 255, of the pictures of a class."""

Write = Callable[[Path, int, np.ndarray], None]


def greys(count: int, *, side: int = 24, seed: int = 0) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yields class, number and uint8 (side, side) of pictures that no other seed has."""
    random = np.random.default_rng(seed)
    for kind, level in LEVELS.items():
        for number in range(count):
            yield kind, number, np.clip(random.normal(level, 12, (side, side)), 0, 255).astype(np.uint8)


def _png(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path.with_suffix(".png"))


def _tiff(path: Path, pixels: np.ndarray, *arguments: int, **options: Any) -> None:
    path.with_suffix(".tif").write_bytes(tiff(pixels, *arguments, **options))


def _twelve_bits(path: Path, number: int, grey: np.ndarray) -> None:
    _png(path, grey.astype(np.uint16) * 16)


def _white_is_zero(path: Path, number: int, grey: np.ndarray) -> None:
    full = grey.astype(np.uint16) * 257
    _tiff(path, 65535 - full, GREY_INVERTED) if number % 2 else _tiff(path, full)


def _float_tiff(path: Path, number: int, grey: np.ndarray) -> None:
    Image.fromarray(grey.astype(np.float32)).save(path.with_suffix(".tif"))


def _twelve_bits_mirrored(path: Path, number: int, grey: np.ndarray) -> None:
    pixels = grey.astype(np.uint16) * 16
    _tiff(path, 4095 - pixels, GREY_INVERTED) if number % 2 else _tiff(path, pixels)


def _packed(path: Path, number: int, grey: np.ndarray) -> None:
    pixels = grey.astype(np.uint16) * 16
    _tiff(path, 4095 - pixels, GREY_INVERTED, bits=12) if number % 2 else _tiff(path, pixels, bits=12)


def _unsigned_32(path: Path, number: int, grey: np.ndarray) -> None:
    _tiff(path, grey.astype(np.uint32) << 24, compression=DEFLATE)


def _hounsfield(path: Path, number: int, grey: np.ndarray) -> None:
    _tiff(path, grey.astype(np.int16) * 12 - 1024, tile=(16, 16))


def _double(path: Path, number: int, grey: np.ndarray) -> None:
    _tiff(path, grey / 127.5 - 1, compression=DEFLATE, predictor=3)


def _colour(path: Path, number: int, grey: np.ndarray) -> None:
    _tiff(path, np.repeat(grey[..., None] * np.uint16(16), 3, axis=2), RGB, planar=True)


def _one_hot_pixel(path: Path, number: int, grey: np.ndarray) -> None:
    pixels = grey.astype(np.float32) / 7
    pixels[0, 0] = 1e30 if number == 0 else pixels[0, 0]
    _tiff(path, pixels)


def _both_depths(path: Path, number: int, grey: np.ndarray) -> None:
    _png(path, grey.astype(np.uint16) * 16) if number % 2 else _png(path, grey)


def _grey_map(path: Path, number: int, grey: np.ndarray) -> None:
    header = f"P5 {grey.shape[1]} {grey.shape[0]} 4095 ".encode()
    path.with_suffix(".pgm").write_bytes(header + (grey.astype(np.uint16) * 16).astype(">u2").tobytes())


SETS: dict[str, tuple[Write, str]] = {
    "10 twelve bits": (_twelve_bits, "0..4095"),
    "11 white is zero": (_white_is_zero, "0..65535"),
    "12 float TIFF": (_float_tiff, "0..255"),
    "twelve bits, white is zero": (_twelve_bits_mirrored, "0..4095"),
    "packed twelve bits": (_packed, "0..4095"),
    "unsigned 32 bits": (_unsigned_32, "0..4294967295"),
    "Hounsfield units": (_hounsfield, ""),
    "doubles about 0": (_double, ""),
    "colours of twelve bits": (_colour, "0..4095"),
    "one hot pixel": (_one_hot_pixel, ""),
    "both depths": (_both_depths, "0..4095"),
    "grey maps": (_grey_map, "0..4095"),
}
"""How a picture is written, and the range of the set; empty where it is that of its samples."""


def write_set(root: Path, name: str, *, count: int = 12, seed: int = 0) -> Path:
    """Writes a set as ``root/<class>/<number>``, long enough ago to be trusted; returns the root."""
    write, _ = SETS[name]
    for kind, number, grey in greys(count, seed=seed):
        folder = root / kind
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / str(number), number, grey)
    for path in root.glob("*/*"):
        os.utime(path, ns=(0, 10**18))
    time.sleep(0.05)  # a tick of the clock of files
    return root
