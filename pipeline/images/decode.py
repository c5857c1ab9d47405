"""Decoding: the bytes of any common image file to a square of RGB pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from pipeline.images.formats.deep import deep_samples
from pipeline.images.formats.encoded import check_size, open_encoded, pixels_claimed, turned, upright
from pipeline.images.formats.samples import Samples
from pipeline.images.geometry import Box
from pipeline.images.pixel_range import PixelRange, own_range
from pipeline.images.resizing import Resize, by_pillow
from pipeline.memory import can_have, with_room

_DRAFT = (
    3  # times the wanted size; a JPEG reduced so far differs from a full decode by < 1 grey level in the mean
)
_TOO_LONG = 120
_BYTES_A_PIXEL = 8
"""The most that decoding was seen to take. Without it WebP and progressive JPEG files look damaged."""


class DecodeError(ValueError):
    """An image cannot be decoded; the message is a short reason without the file's name."""


def decode(
    data: bytes | np.ndarray,
    size: int,
    pixel_range: PixelRange | None = None,
    resize: Resize = by_pillow,
) -> np.ndarray:
    """Decodes an image and makes a square of it: by default the whole, bilinear with antialiasing.

    The aspect ratio is then not kept, as in ``keras.utils.load_img``. EXIF orientation is applied,
    transparent pixels are laid on white, animations give their first frame, CMYK goes through Pillow's plain
    conversion without colour profiles. Pictures of more than 8 bits a sample become such of 8 by the range of
    their set, which clips what lies beyond; those of up to 8 bits keep their own white.

    Safe in threads, and emits no warnings. Memory is bounded by ``MAX_PIXELS``.

    Args:
        data: An encoded file (``formats/encoded.py`` has its formats), or pixels of any number type and of
            shape (height, width) or (height, width, 1 | 3 | 4).
        size: Height and width of the result in pixels.
        pixel_range: Black and white of pixels of more than 8 bits; None = as their own depth states them.
        resize: What makes the square, see ``find_resize``.

    Returns:
        uint8 (size, size, 3), RGB; perhaps read-only.

    Raises:
        DecodeError: The image is empty, damaged, truncated, too large, or no image at all.
        ShortageError: The memory does not suffice, so nothing is known of the image.
    """
    return decode_with_remark(data, size, pixel_range, resize)[0]


def decode_for_itself(data: bytes | np.ndarray, size: int) -> np.ndarray:
    """Decodes as ``decode`` does, with a range for this picture alone: for what does not know of a set."""
    return with_room(partial(_decode_for_itself, data, size), to="decode an image")


def _decode_for_itself(data: bytes | np.ndarray, size: int) -> np.ndarray:
    with as_decode_error(data):
        samples = deep_samples(data)
        if samples is not None:
            extremes = samples.extremes()
            found = None if extremes is None else own_range(extremes)
            return _ranged(samples, size, found, by_pillow)[0]
    return decode(data, size)


@contextmanager
def as_decode_error(data: bytes | np.ndarray) -> Iterator[None]:
    """Tells what goes wrong with an image in one way, whatever the decoders raise.

    Raises:
        DecodeError: It is the image's fault.
        MemoryError: It may as well be a lack of memory: libraries often do not say why they failed.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # a single image must never end a run of a million
        if not can_have(_claimed(data) * _BYTES_A_PIXEL):
            raise MemoryError(_reason(error)) from error
        raise DecodeError(_reason(error)) from error


def decode_with_remark(
    data: bytes | np.ndarray, size: int, pixel_range: PixelRange | None, resize: Resize = by_pillow
) -> tuple[np.ndarray, str]:
    """Decodes as ``decode`` does, and says what the range costs this picture; an empty text for most."""
    return with_room(partial(_decode, data, size, pixel_range, resize), to="decode an image")


def _decode(
    data: bytes | np.ndarray, size: int, pixel_range: PixelRange | None, resize: Resize
) -> tuple[np.ndarray, str]:
    with as_decode_error(data):
        samples = deep_samples(data)
        if samples is not None:
            return _ranged(samples, size, pixel_range, resize)
        if isinstance(data, np.ndarray):
            return _pixels(_from_array(data), size, None, resize), ""
        image = open_encoded(data)
        least = _DRAFT * resize.geometry.reduced_to(size)
        drafted = image.draft(None, (least, least))
        _load(image)
        pixels = _pixels(image, size, drafted[1] if drafted else None, resize)
        return upright(pixels, image.info.get("exif")), ""


def _claimed(data: bytes | np.ndarray) -> int:
    """Returns the pixels that a picture's header states; 0 where it states none."""
    try:
        if isinstance(data, np.ndarray):
            return 0
        return pixels_claimed(data) or math.prod(open_encoded(data).size)
    except MemoryError:
        raise
    except Exception:  # the header is what is damaged; decoders raise whatever they ran into
        return 0


def _ranged(
    samples: Samples, size: int, pixel_range: PixelRange | None, resize: Resize
) -> tuple[np.ndarray, str]:
    """Makes a picture of 8 bits, and goes on as with any other."""
    check_size(*samples.colours.shape[1::-1])
    image, remark = samples.picture(pixel_range)
    return turned(_pixels(image, size, None, resize), samples.orientation), remark


def _load(image: ImageFile) -> None:
    """Decodes the pixels, and says of which format they are where that fails."""
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # plugins raise whatever their parsing ran into
        raise ValueError(f"damaged {image.format} file: {_reason(error)}") from error


def _from_array(pixels: np.ndarray) -> Image.Image:
    """Wraps uint8 (height, width[, 1 | 3 | 4]) as a Pillow image."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)):
        raise ValueError(f"{pixels.dtype} {pixels.shape} are no uint8 (height, width[, 1, 3 or 4]) pixels")
    check_size(pixels.shape[1], pixels.shape[0])
    return Image.fromarray(np.ascontiguousarray(pixels))


def _pixels(image: Image.Image, size: int, box: Box | None, resize: Resize) -> np.ndarray:
    """Resizes in the mode that loses nothing, then converts the small picture to uint8 (size, size, 3)."""
    if image.has_transparency_data:
        # Resized with premultiplied alpha, so that the hidden colour of clear pixels does not bleed.
        if image.mode == "La":  # which converts to nothing else
            image = image.convert("LA")
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        layer = np.asarray(resize(image.convert("RGBa"), size, box))
        return layer[..., :3] + (255 - layer[..., 3:])
    if image.mode not in ("RGB", "L"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image = resize(image, size, box)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _reason(error: Exception) -> str:
    """Returns an exception's message as one short line, with its type where that is not plain."""
    line = " ".join(str(error).split())
    if not line or not isinstance(error, OSError | ValueError):
        line = f"{type(error).__name__}: {line}".removesuffix(": ")
    return line if len(line) <= _TOO_LONG else f"{line[:_TOO_LONG]}..."
