"""Engines: what runs a frozen base. One file each; the folder is the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Engine(Protocol):
    """Runs a frozen base on full batches.

    Attributes:
        batch_size: Images in a batch; every batch has exactly this many.
        feature_shapes: Shape of one row per cut.
    """

    batch_size: int
    feature_shapes: list[tuple[int, ...]]

    def submit(self, images: np.ndarray) -> Any:
        """Starts the forward pass of uint8 (batch_size, size, size, 3); returns what ``fetch`` takes."""
        ...

    def fetch(self, pending: Any) -> Sequence[np.ndarray]:
        """Waits for a submitted batch: per cut (batch_size, *feature shape) in the stored dtype."""
        ...
