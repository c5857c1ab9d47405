"""Encoded images as Pillow objects: known formats only, measured before decoding, without warnings."""

from __future__ import annotations

import io
import logging
import math
import re
import struct
import warnings
from collections.abc import Callable

import numpy as np
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PcxImagePlugin import PcxImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.SgiImagePlugin import SgiImageFile
from PIL.TgaImagePlugin import TgaImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from pipeline.images.formats.kinds import HEAD_BYTES, pointer, unread_format

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

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels: about 400 MB in memory; more is taken for an attack."""

_AVIF = re.compile(rb".{4}ftyp(?:avif|avis|(?:mif1|msf1).{4}.{0,64}?avi[fs])", re.DOTALL)
_WEBP = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
# TGA has no magic number: a colour map or none, a kind of picture that fits, and a depth that there is.
_TGA = re.compile(
    rb".(?:\0[\2\3\x0a\x0b]\0{5}|\x01[\1\x09].{4}[\x0f\x10\x18\x20]).{8}"
    rb"[\1\x08\x0f\x10\x18\x20][\0-\x3f]",
    re.DOTALL,
)

# The plugin classes are used directly: `Image.open` tries formats in turn, and warns of large pictures
# (the limit above is ours) and of multi-picture JPEGs (whose first picture is the one wanted).
_FORMATS: tuple[tuple[str, re.Pattern[bytes], type[ImageFile]], ...] = (
    ("JPEG", re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    ("GIF", re.compile(rb"GIF8[79]a"), GifImageFile),
    ("BMP", re.compile(rb"BM"), BmpImageFile),
    ("WebP", _WEBP, WebPImageFile),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    ("PPM", re.compile(rb"P[1-6f]\s"), PpmImageFile),
    ("AVIF", _AVIF, AvifImageFile),
    ("JPEG 2000", re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n"), Jpeg2KImageFile),
    ("SGI", re.compile(rb"\x01\xda[\0\1][\1\2]"), SgiImageFile),
    ("PCX", re.compile(rb"\x0a[\0\2\3\5]\x01[\1\2\4\x08]"), PcxImageFile),
    ("TGA", _TGA, TgaImageFile),
)
# What else must hold where few bytes are no sign: a text may begin like these.
_WEAK = {
    "BMP": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}", re.DOTALL),
    "PPM": re.compile(rb"P[1-6f]\s+(?:#[^\n]*\n\s*)*[0-9]{1,6}\s+[0-9]{1,6}\s"),
    "PCX": re.compile(rb"\x0a\x05\x01[\1\2\4\x08].{60}\0", re.DOTALL),
    "TGA": re.compile(rb"(?!)"),
}
_SUBFILE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706  # TIFF tags
_SILENCE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


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


# Without a handler, Pillow's remarks on odd files would be printed by logging's last resort.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def open_encoded(data: bytes) -> ImageFile:
    """Reads the header of an encoded image; the pixels are decoded when they are first used.

    Args:
        data: The bytes of the whole file.

    Raises:
        ValueError: The data is empty, of no known format, damaged, or larger than ``MAX_PIXELS``.
    """
    if not data:
        raise ValueError("the file is empty")
    name, plugin = next(((name, plugin) for name, magic, plugin in _FORMATS if magic.match(data)), ("", None))
    if plugin is None:
        raise ValueError(_why_unknown(data[:HEAD_BYTES]))
    pixels_claimed(data)
    _silence_pillow()
    try:
        image = plugin(io.BytesIO(data))
    except (SyntaxError, OSError, ValueError) as error:
        if "cannot handle" in str(error):  # as "12-bit layers" of a JPEG, which is sound
            raise ValueError(f"a {name} file of this kind is not read: {error}") from error
        raise ValueError(f"damaged {name} file: {error}") from error
    check_size(*image.size)
    if isinstance(image, TiffImageFile):
        _refuse_preview(image, data)
    return image


def pixels_claimed(data: bytes) -> int:
    """Returns the pixels for which a format takes memory when it is opened; 0 for those that take none.

    Raises:
        ValueError: The header is damaged, or claims more than ``MAX_PIXELS``.
    """
    if not _WEBP.match(data):
        return 0
    size = _webp_size(data)
    check_size(*size)
    return math.prod(size)


def _refuse_preview(image: TiffImageFile, data: bytes) -> None:
    """Refuses camera raw files that are TIFF outside: what stands first in them is a small preview."""
    tags = image.tag_v2
    reduced = bool(tags.get(_SUBFILE, 0) & 1) and _SUB_IFDS in tags
    if reduced or _DNG_VERSION in tags or data[8:10] == b"CR":
        raise ValueError("a camera raw file, whose preview alone could be decoded: convert it to PNG or JPEG")


def looks_like_image(head: bytes) -> bool:
    """Tells by a file's first ``HEAD_BYTES`` whether it is a picture, decoded or not, or points to one."""
    known = any(magic.match(head) and _WEAK.get(name, magic).match(head) for name, magic, _ in _FORMATS)
    return known or bool(unread_format(head) or pointer(head))


def _why_unknown(head: bytes) -> str:
    if trouble := pointer(head):
        return trouble
    if name := unread_format(head):
        return f"no image of a known format, but {name}: convert it to PNG or JPEG"
    return f"no image of a known format ({', '.join(known for known, *_ in _FORMATS)})"


def check_size(width: int, height: int) -> None:
    """Refuses pictures without pixels and those of more than ``MAX_PIXELS``.

    Raises:
        ValueError: The size is out of bounds.
    """
    if width * height == 0:
        raise ValueError(f"the picture has no pixels ({width} x {height})")
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels are more than the limit of {MAX_PIXELS:,}")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Reads a WebP's width and height, because its decoder allocates the canvas when it is opened.

    The three layouts are those of RFC 9649, sections 2.5 to 2.7.
    """
    if len(data) < 30:
        raise ValueError("damaged WebP file: its header is cut off")
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    packed = int.from_bytes(data[26:30], "little")
    return packed & 0x3FFF, packed >> 16 & 0x3FFF


def _silence_pillow() -> None:
    """Puts a filter for warnings raised inside Pillow in front of all others.

    Plugins warn of odd metadata in pictures that are fine. ``warnings.catch_warnings`` swaps state of the
    whole process and so is of no use in threads; this filter stays.
    """
    if not warnings.filters or warnings.filters[0] != _SILENCE:
        warnings.filterwarnings("ignore", module=r"PIL\.")
