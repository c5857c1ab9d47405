"""Pictures that other libraries were shown once: anybody can make them again, from their shape alone."""

from __future__ import annotations

import numpy as np

SHAPES = ((61, 97), (113, 52))
"""Heights and widths: one picture lies, the other stands; an odd number of pixels is cut off some."""


def reference_picture(height: int, width: int) -> np.ndarray:
    """Returns smooth colours with noise on them, uint8 (height, width, 3)."""
    rows, columns = np.indices((height, width))
    waves = [
        127 + 100 * np.sin(rows / 7 + columns / 11 + shift) * np.cos(columns / 5 - shift)
        for shift in (0.0, 1.0, 2.0)
    ]
    numbers = np.arange(height * width * 3, dtype=np.uint64)
    noise = (numbers * numbers * 40503 >> 7 & 31).astype(float).reshape(height, width, 3)
    return np.clip(np.stack(waves, axis=-1) + noise - 15, 0, 255).astype(np.uint8)
