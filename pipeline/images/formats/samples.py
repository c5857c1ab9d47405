"""Pictures as samples of their own depth, before black and white are chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.images.pixel_range import Extremes, PixelRange, stated_range


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """A decoded picture whose samples the range of its set turns into 8 bits.

    Attributes:
        colours: (height, width) grey or (height, width, 3) RGB; integers of any size, or floats.
        bits: Bits a sample, as the file states them.
        alpha: (height, width), opaque where it equals ``alpha_white``; None = opaque.
        alpha_white: White of the alpha; None = that of the colours.
        premultiplied: Whether the colours are multiplied with the alpha.
        white_is_zero: Whether 0 is white.
        orientation: How the picture is to be turned, 1 to 8 as in EXIF.
        fixed: The range of pictures whose depth says all, as of 4 bits; None = that of the set counts.
    """

    colours: np.ndarray
    bits: int
    alpha: np.ndarray | None = None
    alpha_white: float | None = None
    premultiplied: bool = False
    white_is_zero: bool = False
    orientation: int = 1
    fixed: PixelRange | None = None

    def extremes(self) -> Extremes | None:
        """Looks at all samples; None where they do not count for the range of a set.

        Raises:
            ValueError: A sample is not a finite number.
        """
        return None if self.fixed else self._extremes()

    def picture(self, found: PixelRange | None) -> tuple[Image.Image, str]:
        """Returns the picture with 8 bits a sample, and what is lost by that; an empty text for most.

        Args:
            found: The range of the set; None where no deep picture was in it.

        Raises:
            ValueError: A sample is not a finite number.
        """
        if self.fixed:
            white = self.fixed.high if self.white_is_zero else None
            return self._layers(self.fixed, self.fixed.scale(self.colours, mirrored_at=white)), ""
        extremes = self._extremes()
        chosen, remark = found or stated_range(extremes), ""
        mirror = chosen.mirror(extremes) if self.white_is_zero else None
        low, high = extremes.low, extremes.high
        if mirror is not None:
            low, high = mirror - high, mirror - low
        if found is None:
            remark = (
                f"its pixels of {self.bits} bits are read by its own depth, {chosen}: "
                "those of the data set have 8"
            )
        elif low < found.low or high > found.high:
            reached = PixelRange(low, high)
            remark = f"its pixels, {reached}, go beyond those of the data set, {found}: they are clipped"
        return self._layers(chosen, chosen.scale(self.colours, mirrored_at=mirror)), remark

    def _extremes(self) -> Extremes:
        return Extremes.of(self.colours, self.bits, white_is_zero=self.white_is_zero)

    def _layers(self, chosen: PixelRange, pixels: np.ndarray) -> Image.Image:
        """Puts colours and alpha together."""
        if self.alpha is None:
            return Image.fromarray(pixels)
        alpha = (PixelRange(0, self.alpha_white) if self.alpha_white else chosen).scale(self.alpha)
        colours = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        layers = np.dstack([colours, alpha])
        mode = "RGBa" if self.premultiplied else "RGBA"
        return Image.frombytes(mode, layers.shape[1::-1], layers.tobytes())


def array_samples(pixels: np.ndarray) -> Samples:
    """Takes an array of any number type, (height, width[, 1 | 3 | 4]), for samples.

    Raises:
        ValueError: It is of another shape, or holds no numbers.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    layers = pixels.shape[2:]
    if pixels.dtype.kind not in "uif" or pixels.ndim not in (2, 3) or layers not in ((), (3,), (4,)):
        raise ValueError(f"{pixels.dtype} {pixels.shape} are no (height, width[, 1, 3 or 4]) pixels")
    alpha = pixels[..., 3] if layers == (4,) else None
    colours = pixels if alpha is None else pixels[..., :3]
    return Samples(colours=colours, bits=8 * pixels.dtype.itemsize, alpha=alpha)
