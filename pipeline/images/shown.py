"""What a base is shown of a picture, in any size: for whoever draws pictures beside what was made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.images.decode import decode
from pipeline.images.geometry import Geometry
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import by_pillow
from pipeline.spec import FeatureSpec


def shown_square(data: bytes | np.ndarray, spec: FeatureSpec, side: int) -> np.ndarray:
    """Returns the part of a picture that becomes the square of a base, uint8 (side, side, 3).

    Args:
        data: The picture, encoded or as pixels.
        spec: Of the features.
        side: Height and width in pixels, whatever those of the base are.

    Raises:
        DecodeError: It is damaged, or no picture.
        ShortageError: The memory does not suffice.
    """
    geometry = Geometry.parse(spec.geometry).in_size(side, of=spec.image_size)
    return decode(data, side, PixelRange.of(spec.pixel_range), replace(by_pillow, geometry=geometry))
