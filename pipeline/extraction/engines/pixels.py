"""The identity: decoded images are the features, so heads can train from scratch on cached pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.backbones.weights import Weights
    from pipeline.extraction.settle import SettledRequest


class PixelsEngine:
    """Returns the images as they are."""

    ahead = 1

    def __init__(self, image_size: int) -> None:
        self.feature_shapes = [(image_size, image_size, 3)]
        self.bytes_per_image = image_size * image_size * 3

    def submit(self, images: np.ndarray) -> np.ndarray:
        """Returns the batch, uint8 (n, size, size, 3)."""
        return images

    def fetch(self, pending: np.ndarray) -> list[np.ndarray]:
        """Returns the batch as the only cut."""
        return [pending]


def load(request: SettledRequest, weights: Weights) -> PixelsEngine:
    """Makes the engine for a request; there are no weights to load."""
    return PixelsEngine(request.image_size)
