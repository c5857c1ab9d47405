"""Seeded views of an image: what random augmentation would show a head, made once and cached."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from PIL import Image

from pipeline.options import between, parse_options

MAX_VIEWS = 255


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges that each view draws from, uniformly; the defaults are those of the course material.

    Names and units are those of ``keras.preprocessing.image.ImageDataGenerator``. Where a view reaches
    beyond the picture, the nearest edge is repeated.

    Attributes:
        rotation: Largest angle to either side, in degrees.
        width_shift: Largest shift to either side, as a fraction of the width.
        height_shift: Largest shift up or down, as a fraction of the height.
        shear: Largest shear angle to either side, in degrees.
        zoom: Height and width are each scaled by a factor in [1 - zoom, 1 + zoom].
        flip: Whether half of the views are mirrored left to right.
        seed: With the image's digest and the view's number, determines every draw.
    """

    rotation: Annotated[float, between(0, 180)] = 40.0
    width_shift: Annotated[float, between(0, 1)] = 0.2
    height_shift: Annotated[float, between(0, 1)] = 0.2
    shear: Annotated[float, between(0, 80)] = 0.2
    zoom: Annotated[float, between(0, 0.9)] = 0.2
    flip: bool = True
    seed: int = 0

    def to_json(self) -> str:
        """Returns the ranges and the seed as one line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_options(cls, given: Mapping[str, object]) -> Augmentation:
        """Makes it of some options, given as text or as values; the others keep their defaults.

        Raises:
            UsageError: An option is unknown, or out of bounds.
        """
        values: dict[str, Any] = parse_options(cls, given, subject="the augmentation", flag="--augment")
        return cls(**values)


def augmented_view(image: np.ndarray, augmentation: Augmentation, *, digest: bytes, view: int) -> np.ndarray:
    """Draws one view of an image, the same for the same arguments on every machine.

    Args:
        image: uint8 (size, size, 3).
        augmentation: Ranges and seed.
        digest: SHA-256 of the image's bytes.
        view: Number of the view, 1..K; 0 is the image itself.

    Returns:
        uint8 (size, size, 3).
    """
    if view == 0:
        return image
    size = len(image)
    matrix = _draw(augmentation, size, digest, view)
    corners = matrix @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], float)
    pad = math.ceil(max(-corners.min(), corners.max() - size, 0)) + 1
    # Pillow fills with black beyond a picture, so the edge is repeated as far as this view reaches.
    padded = Image.fromarray(np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    matrix[:, 2] += pad
    coefficients = matrix.ravel().tolist()
    return np.asarray(
        padded.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    )


def _draw(augmentation: Augmentation, size: int, digest: bytes, view: int) -> np.ndarray:
    """Draws the affine map, float64 (2, 3), from a view's pixels to the image's."""
    key = hashlib.sha256(digest + bytes([view]) + str(augmentation.seed).encode()).digest()
    draw = np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big"))).uniform
    angle = math.radians(draw(-1, 1) * augmentation.rotation)
    shift = np.array([draw(-1, 1) * augmentation.width_shift, draw(-1, 1) * augmentation.height_shift]) * size
    shear = math.tan(math.radians(draw(-1, 1) * augmentation.shear))
    scale = 1 + draw(-1, 1, 2) * augmentation.zoom
    mirror = -1.0 if draw() < 0.5 and augmentation.flip else 1.0
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag(scale * [mirror, 1.0])
    centre = np.full(2, size / 2)
    return np.column_stack([linear, centre + shift - linear @ centre])
