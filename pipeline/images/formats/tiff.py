"""TIFF pictures that Pillow reads with fewer bits than they have, with wrong ones, or not at all."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import OPEN_INFO

from pipeline.images.formats.encoded import check_size
from pipeline.images.formats.samples import Samples
from pipeline.images.formats.tiff_blocks import UNPACKED, read_samples
from pipeline.images.formats.tiff_layout import (
    COLOURS,
    FLOAT,
    GREY_INVERTED,
    ICC_LAB,
    INKS,
    LAB,
    PALETTE,
    RGB,
    SIGNED,
    UNSIGNED,
    Layout,
)
from pipeline.images.pixel_range import PixelRange

_UNSPECIFIED, _PREMULTIPLIED, _ALPHA = 0, 1, 2
_WEBP = 50001
_COMPRESSIONS = {
    2: "fax",
    3: "fax",
    4: "fax",
    6: "JPEG",
    7: "JPEG",
    34712: "JPEG 2000",
    34887: "LERC",
    _WEBP: "WebP",
}
_SPACES = {4: "a mask", 6: "YCbCr", 32803: "a sensor's colour filters", 34892: "a raw sensor"}
_BYTE = PixelRange(0, 255)
_ANY, _DEPTHS = range(1, 65), {FLOAT: (16, 32, 64)}


def tiff_samples(data: bytes) -> Samples | None:
    """Reads a TIFF of any depth; None where Pillow alone does it right, or says best what is damaged.

    Raises:
        ValueError: It is damaged, too large, or of a kind that is not read, which the message names.
    """
    try:
        layout = Layout.of(data)
    except ValueError:
        return None
    if len(layout.bits) != layout.samples or not layout.bits or _pillow_reads(layout):
        return None
    check_size(layout.width, layout.height)
    if kind := _not_read(layout):
        raise ValueError(f"a TIFF {kind} is not read: save it as PNG, or as an uncompressed grey or RGB TIFF")
    try:
        samples = read_samples(data, layout)
    except (ValueError, OSError, SyntaxError, IndexError) as error:
        raise ValueError(f"damaged TIFF file: {error}") from error
    return _in_colour(samples, layout)


def _pillow_reads(layout: Layout) -> bool:
    """Tells whether Pillow has a mode that loses nothing."""
    if layout.compression == 6:  # old JPEG, whose tags say little
        return True
    if max(layout.bits) > 8 or layout.format != UNSIGNED:
        return False
    if layout.big and layout.order == ">":  # which Pillow takes for something else
        return False
    if layout.planar and (layout.samples == 2 or not _not_read(layout)):  # it stumbles over some planes
        return False
    if layout.compression == _WEBP:  # which libtiff mostly lacks
        return False
    prefix = b"II" if layout.order == "<" else b"MM"
    key = prefix, layout.photometric, (1,), layout.fill_order, layout.bits, layout.extra
    return layout.planar or key in OPEN_INFO


def _not_read(layout: Layout) -> str:
    """Says of what kind a TIFF is that is not read; empty for others."""
    bits, colours = layout.bits[0], COLOURS.get(layout.photometric)
    others = len(layout.bits) - (colours or 0)
    if layout.compression not in UNPACKED:
        name = _COMPRESSIONS.get(layout.compression, f"compression {layout.compression}")
        return f"of {bits}-bit samples with {name}" + " compression" * (layout.compression in _COMPRESSIONS)
    if colours is None:
        space = _SPACES.get(layout.photometric, f"colour space {layout.photometric}")
        return f"of {space} with {bits}-bit samples"
    if len(set(layout.bits)) > 1:
        return f"whose samples have different depths ({', '.join(map(str, layout.bits))} bits)"
    if layout.format not in (UNSIGNED, SIGNED, FLOAT) or bits not in _DEPTHS.get(layout.format, _ANY):
        return f"of {bits}-bit samples in sample format {layout.format}"
    if colours > 1 and layout.format == SIGNED and layout.photometric != RGB:
        return f"of signed {bits}-bit samples in colour space {layout.photometric}"
    if layout.photometric == PALETTE and (layout.format != UNSIGNED or bits > 16):
        return f"with a palette and {bits}-bit samples in sample format {layout.format}"
    if layout.photometric in (LAB, ICC_LAB) and (bits not in (8, 16) or layout.format == FLOAT):
        return f"in colour space Lab with {bits}-bit samples"
    fitting = {1: True, 2: bits in (8, 16, 32, 64), 3: layout.format == FLOAT}
    if not fitting.get(layout.predictor):
        return f"of {bits}-bit samples with predictor {layout.predictor}"
    if others < 0 or others - len(layout.extra) > 1 or layout.extra.count(_UNSPECIFIED) > 1:
        return f"of {len(layout.bits)} samples a pixel, {colours} of them colours,"
    return ""


def _in_colour(samples: np.ndarray, layout: Layout) -> Samples:
    """Tells colours from alpha, and turns colour spaces whose depth says all into RGB of 8 bits."""
    bits, photometric = layout.bits[0], layout.photometric
    count = COLOURS[photometric]
    colours = samples[..., 0] if count == 1 else samples[..., :count]
    if photometric == PALETTE:
        return _eight_bits(_palette(colours, layout), layout)
    if photometric == INKS:
        white = 1.0 if layout.format == FLOAT else 2.0**bits - 1
        return _eight_bits(_converted("CMYK", PixelRange(0, white).scale(colours)), layout)
    if photometric in (LAB, ICC_LAB):
        return _eight_bits(_converted("LAB", _lab(colours, layout)), layout)
    extra = layout.extra or ((_ALPHA,) if photometric == RGB and len(layout.bits) == 4 else ())
    kinds = dict(zip(extra, range(count, len(layout.bits)), strict=False))
    at = kinds.get(_PREMULTIPLIED, kinds.get(_ALPHA))
    whole = {UNSIGNED: 2.0**bits - 1, FLOAT: 1.0}.get(layout.format, 2.0 ** (bits - 1) - 1)
    return Samples(
        colours=colours,
        bits=bits,
        alpha=None if at is None else samples[..., at],
        alpha_white=whole,
        premultiplied=_PREMULTIPLIED in kinds,
        white_is_zero=photometric == GREY_INVERTED,
        orientation=layout.orientation,
        fixed=PixelRange(0, 2.0**bits - 1) if bits <= 8 and layout.format == UNSIGNED else None,
    )


def _eight_bits(colours: np.ndarray, layout: Layout) -> Samples:
    return Samples(colours=colours, bits=8, orientation=layout.orientation, fixed=_BYTE)


def _palette(indices: np.ndarray, layout: Layout) -> np.ndarray:
    size = 2 ** layout.bits[0]
    if len(layout.colour_map) < 3 * size:
        raise ValueError("damaged TIFF file: its palette is cut off")
    colours = layout.colour_map[: 3 * size].reshape(3, size).T // 256
    return colours.astype(np.uint8)[indices]


def _lab(samples: np.ndarray, layout: Layout) -> np.ndarray:
    """Returns L, a and b of 8 bits, a and b signed, as Pillow takes them (TIFF 6.0, section 23)."""
    deep = layout.bits[0] == 16
    light = PixelRange(0, 65535 if deep else 255).scale(samples[..., :1])
    tints: np.ndarray = samples[..., 1:].astype(np.uint16 if deep else np.uint8)
    if layout.photometric == ICC_LAB:
        shifted = np.rint(tints / 256) if deep else tints
    else:
        shifted = np.rint(tints.view(np.int16) / 256) + 128 if deep else tints.view(np.int8) + np.int16(128)
    return np.concatenate([light, np.clip(shifted, 0, 255).astype(np.uint8) ^ 128], axis=2)


def _converted(mode: str, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes()).convert("RGB"))
