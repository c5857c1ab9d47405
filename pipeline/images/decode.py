"""Decoding: the bytes of any common image file to a square of RGB pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from pipeline.images._exif import upright
from pipeline.images._formats import check_size, open_encoded

_DRAFT = (
    3  # times the wanted size; a JPEG reduced so far differs from a full decode by < 1 grey level in the mean
)
_TIFF_BITS = 258
_TOO_LONG = 120

Box = tuple[float, float, float, float]


class DecodeError(ValueError):
    """An image cannot be decoded; the message is a short reason without the file's name."""


def decode(data: bytes | np.ndarray, size: int) -> np.ndarray:
    """Decodes an image and resizes it to a square, bilinear with antialiasing.

    The aspect ratio is not kept, as in ``keras.utils.load_img``. EXIF orientation is applied, transparent
    pixels are laid on white, animations give their first frame, CMYK goes through Pillow's plain conversion
    without colour profiles. Deep grey pictures are scaled, never clipped: 12 and 16 bits by their full range,
    floats in 0..1 by 255, and any other range is stretched from its lowest to its highest value.

    Safe in threads, and emits no warnings. Memory is bounded by ``MAX_PIXELS``.

    Args:
        data: An encoded file (JPEG, PNG, GIF, BMP, WebP, TIFF, PPM), or uint8 pixels of shape (height, width)
            or (height, width, 1 | 3 | 4).
        size: Height and width of the result in pixels.

    Returns:
        uint8 (size, size, 3), RGB.

    Raises:
        DecodeError: The image is empty, damaged, truncated, too large, or no image at all.
    """
    try:
        if isinstance(data, np.ndarray):
            return _pixels(_from_array(data), size, None)
        image = open_encoded(data)
        drafted = image.draft(None, (_DRAFT * size, _DRAFT * size))
        _load(image)
        pixels = _pixels(image, size, drafted[1] if drafted else None)
        return upright(pixels, image.info.get("exif"))
    except Exception as error:  # a single image must never end a run of a million
        raise DecodeError(_reason(error)) from error


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


def _pixels(image: Image.Image, size: int, box: Box | None) -> np.ndarray:
    """Resizes in the mode that loses nothing, then converts the small picture to uint8 (size, size, 3)."""
    if image.mode[0] in "IF":
        return _deep_grey(image, size)
    if image.has_transparency_data:
        # Resized with premultiplied alpha, so that the hidden colour of clear pixels does not bleed.
        if image.mode == "La":  # which converts to nothing else
            image = image.convert("LA")
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        layer = np.asarray(image.convert("RGBa").resize((size, size), Image.Resampling.BILINEAR, box))
        return layer[..., :3] + (255 - layer[..., 3:])
    if image.mode not in ("RGB", "L"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image = image.resize((size, size), Image.Resampling.BILINEAR, box)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _deep_grey(image: Image.Image, size: int) -> np.ndarray:
    """Scales 12-bit, 16-bit, 32-bit and float grey to uint8 (size, size, 3)."""
    bits = getattr(image, "tag_v2", {}).get(_TIFF_BITS)
    if image.mode not in ("I;16", "I", "F"):
        image = image.convert("I")
    low, high = image.getextrema()
    white = 1.0 if image.mode == "F" else 65535.0
    if bits == (12,):
        white = 4095.0
    black, white = (0.0, white) if low >= 0 and high <= white else (low, high)
    grey = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), np.float64)
    if not np.isfinite(grey).all():
        raise ValueError("some pixels are not finite numbers")
    scaled = np.rint((grey - black) * (255 / max(white - black, np.finfo(float).tiny)))
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=2)


def _reason(error: Exception) -> str:
    """Returns an exception's message as one short line, with its type where that is not plain."""
    line = " ".join(str(error).split())
    if not line or not isinstance(error, OSError | ValueError):
        line = f"{type(error).__name__}: {line}".removesuffix(": ")
    return line if len(line) <= _TOO_LONG else f"{line[:_TOO_LONG]}..."
