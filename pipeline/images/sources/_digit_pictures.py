"""Pictures made of scans of digits, each of which stands in one: two beside each other, or one turned."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pipeline.images.sources._array_source import ImageArray

UPRIGHT = (1, 2, 3, 4, 5, 6, 7, 9)
"""The digits that are turned: 0 and 8 look much the same at several angles."""
STEEPEST = 45
"""Degrees, to either side; below a half turn no digit becomes another, as 6 and 9 would."""

_SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
_SEED = 0
_WHITE = 16  # of the scans
_MARGIN = 2  # pixels on each side: 12 x 12 hold an 8 x 8 scan at any angle


def pair_scans(scans: np.ndarray, digits: np.ndarray) -> list[ImageArray]:
    """Puts scans side by side; which digits are in a picture is marked, whichever side they stand on.

    Args:
        scans: (n, 8, 8), 0 to 16.
        digits: int (n,).

    Returns:
        For each split uint8 (m, 8, 16) with labels (m, 10) of 0 and 1; of an odd number of scans one is left.
    """
    order = np.random.default_rng(_SEED).permutation(len(scans) // 2 * 2).reshape(-1, 2)
    pictures = np.concatenate([scans[order[:, 0]], scans[order[:, 1]]], axis=2)
    marks = np.zeros((len(order), 10), np.uint8)
    np.put_along_axis(marks, digits[order], 1, axis=1)
    return _in_splits(pictures, marks)


def turn_scans(scans: np.ndarray, digits: np.ndarray) -> list[ImageArray]:
    """Turns each scan of a digit that tells how it stands by an angle drawn by chance, counter-clockwise.

    Args:
        scans: (n, 8, 8), 0 to 16.
        digits: int (n,).

    Returns:
        For each split uint8 (m, 12, 12) with angles in degrees, float32 (m,).
    """
    random = np.random.default_rng(_SEED)
    chosen = scans[random.permutation(np.flatnonzero(np.isin(digits, UPRIGHT)))]
    angles = random.uniform(-STEEPEST, STEEPEST, len(chosen)).round(1).astype(np.float32)
    padded = np.pad(chosen, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN))).astype(np.float32)
    turned = [
        np.asarray(Image.fromarray(one).rotate(angle, Image.Resampling.BILINEAR))
        for one, angle in zip(padded, angles.tolist(), strict=True)
    ]
    return _in_splits(np.stack(turned), angles)


def _in_splits(pictures: np.ndarray, labels: np.ndarray) -> list[ImageArray]:
    """Divides pictures, which come in an order of chance, as grey ones of 0 to 255."""
    grey = np.rint(pictures * (255 / _WHITE)).astype(np.uint8)
    ends = np.rint(np.cumsum(list(_SHARES.values())) * len(grey)).astype(int)[:-1]
    parts = zip(_SHARES, np.split(grey, ends), np.split(labels, ends), strict=True)
    return [ImageArray(split, images, own, split=split) for split, images, own in parts]
