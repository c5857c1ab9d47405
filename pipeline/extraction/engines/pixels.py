"""The identity: decoded images are the features, so heads can train from scratch on cached pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.extraction.request import FeatureRequest
    from pipeline.extraction.weights import Weights


class PixelsEngine:
    """Returns the images as they are."""

    def __init__(self, *, image_size: int, batch_size: int) -> None:
        self.batch_size = batch_size
        self.feature_shapes = [(image_size, image_size, 3)]

    def submit(self, images: np.ndarray) -> np.ndarray:
        """Returns the batch, uint8 (batch_size, size, size, 3)."""
        return images

    def fetch(self, pending: np.ndarray) -> list[np.ndarray]:
        """Returns the batch as the only cut."""
        return [pending]


def load(request: FeatureRequest, weights: Weights) -> PixelsEngine:
    """Makes the engine for a request; there are no weights to load."""
    return PixelsEngine(image_size=request.image_size, batch_size=request.batch_size)
