"""Engines: what runs a frozen base. One file each; the folder is the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class BatchTooLargeError(Exception):
    """A batch does not fit the memory of the device; a smaller one may."""


class Engine(Protocol):
    """Runs a frozen base on batches of one size.

    Attributes:
        feature_shapes: Shape of one row per cut.
        bytes_per_image: Memory that one more image in a batch takes, roughly.
        ahead: Batches that are to be under way while another is fetched.
    """

    feature_shapes: list[tuple[int, ...]]
    bytes_per_image: int
    ahead: int

    def submit(self, images: np.ndarray) -> Any:
        """Starts the forward pass of uint8 (n, size, size, 3); returns what ``fetch`` takes.

        Raises:
            BatchTooLargeError: The memory does not suffice.
        """
        ...

    def fetch(self, pending: Any) -> Sequence[np.ndarray]:
        """Waits for a submitted batch: per cut (n, *feature shape) in the stored dtype.

        Raises:
            BatchTooLargeError: The memory does not suffice.
        """
        ...
