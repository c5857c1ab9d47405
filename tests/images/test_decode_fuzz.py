"""Image files with several bytes changed, cut or doubled: decoded or refused, never a crash."""

from __future__ import annotations

from pathlib import Path

import fuzzing
import numpy as np
import pytest
import tiffs
from fuzzing import try_for_minutes, try_mutations
from hostile_images import deep_rgb_png, encode, picture
from PIL import Image

MEMORY_MIB = 2_000
"""A picture within the limit of 100 million pixels takes up to 400 MB as it is and 400 MB converted."""


def seeds() -> list[bytes]:
    """One small file of each kind that is decoded."""
    image, deep = Image.fromarray(picture(24, 20)), picture(24, 20) * np.uint16(257)
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        *(encode(image, kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")),
        *(encode(image, kind) for kind in ("AVIF", "JPEG2000", "TGA", "SGI", "PCX")),
        encode(image, "JPEG", progressive=True, exif=exif),
        encode(image.convert("CMYK"), "JPEG"),
        encode(image.convert("RGBA"), "WEBP", lossless=True),
        encode(image.convert("P"), "PNG", transparency=0),
        encode(image.convert("I;16"), "PNG"),
        encode(image.convert("1"), "TIFF", compression="group4"),
        encode(image, "TIFF", compression="tiff_lzw"),
        encode(image, "TIFF", compression="jpeg"),
        encode(image.quantize(16), "GIF", save_all=True, append_images=[image.quantize(16)]),
        deep_rgb_png(deep),
        tiffs.tiff(deep, tiffs.RGB),
        tiffs.tiff(deep, tiffs.RGB, compression=tiffs.LZW, predictor=2, rows=5, order=">"),
        tiffs.tiff(deep, tiffs.RGB, compression=tiffs.DEFLATE, planar=True, tile=(16, 16), big=True),
        tiffs.tiff(deep[..., 0] >> 4, tiffs.GREY_INVERTED, bits=12),
        tiffs.tiff(deep[..., 0].astype(np.float32), compression=tiffs.PACKBITS, predictor=3),
        b"P5 20 24 4095 " + (deep[..., 0] >> 4).astype(">u2").tobytes(),
        b"P3 4 2 4095 " + b"4000 12 1 " * 8,
    ]


def test_a_mutated_image_is_decoded_or_refused() -> None:
    outcomes = try_mutations(fuzzing.check_decode, seeds(), examples=1000)
    assert min(outcomes["decoded"], outcomes["refused"]) > 100


@pytest.mark.torture
def test_mutated_images_for_minutes(tmp_path: Path) -> None:
    assert try_for_minutes("decode", seeds(), tmp_path) < MEMORY_MIB
