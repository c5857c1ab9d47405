"""Pictures of more than 8 bits a sample, as they are stored; others are told by a look at their header."""

from __future__ import annotations

import re
import struct
import zlib

import numpy as np
from PIL.ImageFile import ImageFile

from pipeline.images.formats.encoded import check_size, open_encoded, orientation
from pipeline.images.formats.samples import Samples, array_samples
from pipeline.images.formats.tiff import tiff_samples
from pipeline.images.pixel_range import Extremes

_SHALLOW = re.compile(rb"\xff\xd8\xff|GIF8|BM|RIFF|P[14]\s")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_OPAQUE = 65535
_TIFF = re.compile(rb"II[*+]\0|MM\0[*+]")
# Magic number, then width, height and white, between spaces and comments; one space before the samples.
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_PPM = re.compile(rb"P([2356])" + 3 * (_GAP + rb"(\d{1,10})") + rb"\s")
_COMMENT = re.compile(rb"#[^\r\n]*")
_SPACE = re.compile(rb"\s")
_TEXT = 2**20  # bytes of numbers read at a time


def deep_samples(data: bytes | np.ndarray) -> Samples | None:
    """Reads a picture whose range is that of its set, or that Pillow cannot read; None for all others.

    Args:
        data: An encoded file, or pixels.

    Raises:
        ValueError: It is damaged, too large, or of a kind that is not read.
    """
    if isinstance(data, np.ndarray):
        return None if data.dtype == np.uint8 else array_samples(data)
    if _SHALLOW.match(data):
        return None
    if data.startswith(_PNG):
        return _png_samples(data) if data[24:25] == b"\x10" else None
    if _TIFF.match(data):
        return tiff_samples(data)
    if found := _PPM.match(data):
        kind, width, height, white = (int(part) for part in found.groups())
        return _ppm_samples(data[found.end() :], kind, width, height, white) if 255 < white < 65536 else None
    return _opened_samples(data)


def extremes_of(data: bytes | np.ndarray) -> Extremes | None:
    """Looks at the samples of a deep picture; None where its set's range does not concern it.

    Raises:
        ValueError: It is damaged, too large, of a kind that is not read, or holds what is no finite number.
    """
    samples = deep_samples(data)
    return None if samples is None else samples.extremes()


def _opened_samples(data: bytes) -> Samples | None:
    """Takes the samples of a picture that Pillow opens in a deep mode; None for others, and for none."""
    try:
        image = open_encoded(data)
    except ValueError:
        return None
    if image.mode[0] not in "IF":
        return None
    found, exif = _loaded(image), image.info.get("exif")
    if image.mode == "I" and found.min() >= 0:  # Pillow's only deep mode of other formats but 16 bits
        found = found.astype(np.uint16 if found.max() < 2**16 else np.uint32)
    return Samples(colours=found, bits=8 * found.dtype.itemsize, orientation=orientation(exif) if exif else 1)


def _png_samples(data: bytes) -> Samples | None:
    """Reads a PNG of 16 bits; Pillow has no mode for the colours, and keeps the high bytes alone."""
    image = open_encoded(data)
    layout = image.tile[0][3] if image.tile else ""
    if layout == "LA;16B":  # four bytes a pixel, which are those of an RGBA of 8 bits
        pairs = np.ascontiguousarray(_loaded(open_encoded(_with_kind(data, bits=8, kind=6))))
        samples = pairs.view(">u2").astype(np.uint16)
    elif layout == "I;16B":
        samples = _loaded(image)
    elif layout in ("RGB;16B", "RGBA;16B"):
        low = open_encoded(data)
        low.tile = [tile._replace(args=f"{image.mode};16L") for tile in low.tile]  # takes the other byte
        samples = _loaded(image).astype(np.uint16) << 8 | _loaded(low)
    else:
        return None
    alpha = None
    if samples.ndim == 3 and samples.shape[2] != 3:
        samples, alpha = samples[..., :-1], samples[..., -1]
        samples = samples[..., 0] if samples.shape[2] == 1 else samples
    clear = image.info.get("transparency")
    if alpha is None and clear is not None:
        equal = samples == np.array(clear)
        equal = equal.all(axis=2) if samples.ndim == 3 else equal
        alpha = np.where(equal, np.uint16(0), np.uint16(_PNG_OPAQUE))
    exif = image.info.get("exif")
    return Samples(
        colours=samples,
        bits=16,
        alpha=alpha,
        alpha_white=_PNG_OPAQUE,
        orientation=orientation(exif) if exif else 1,
    )


def _loaded(image: ImageFile) -> np.ndarray:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"damaged {image.format} file: {error}") from error
    return np.asarray(image)


def _with_kind(data: bytes, *, bits: int, kind: int) -> bytes:
    """Returns a PNG whose header states another depth and colour type."""
    header = data[12:24] + bytes([bits, kind]) + data[26:29]
    return data[:12] + header + struct.pack(">L", zlib.crc32(header)) + data[33:]


def _ppm_samples(body: bytes, kind: int, width: int, height: int, white: int) -> Samples:
    """Reads a PGM or PPM of two bytes a sample, binary (5, 6) or as text (2, 3)."""
    check_size(width, height)
    shape = (height, width) if kind in (2, 5) else (height, width, 3)
    count = int(np.prod(shape))
    if kind in (5, 6):
        if len(body) < 2 * count:
            raise ValueError("damaged PPM file: image file is truncated")
        found = np.frombuffer(body, ">u2", count).astype(np.uint16)
    else:
        found = _numbers(_COMMENT.sub(b" ", body), count)
    if found.max() > white:
        raise ValueError(f"damaged PPM file: a sample is above {white}")
    return Samples(colours=found.reshape(shape), bits=white.bit_length())


def _numbers(text: bytes, count: int) -> np.ndarray:
    """Reads whole numbers from 0 to 65535 between spaces, uint16 (count,)."""
    if len(text) < 2 * count - 1:  # a digit and a space
        raise ValueError("damaged PPM file: image file is truncated")
    found, filled, at = np.empty(count, np.uint16), 0, 0
    while filled < count and at < len(text):
        space = _SPACE.search(text, at + _TEXT)
        end = space.start() if space else len(text)
        words = text[at:end].split()[: count - filled]
        if max(map(len, words), default=0) > 5 or not b"".join(words).isdigit():
            raise ValueError("damaged PPM file: it holds what is no sample")
        numbers = np.array(words, "S5").astype(np.int64)
        if numbers.max(initial=0) > 65535:
            raise ValueError("damaged PPM file: a sample is above 65535")
        found[filled : filled + len(words)] = numbers
        filled, at = filled + len(words), end
    if filled < count:
        raise ValueError("damaged PPM file: image file is truncated")
    return found
