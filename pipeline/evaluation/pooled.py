"""Features averaged over positions: what is in a picture and not where, small enough for many quick fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.descriptions import pool_maps, pooled_width
from pipeline.cache.format import checksums
from pipeline.images.targets import CLASS

BLOCK_BYTES = 16 << 20
FEWEST_CHANNELS = 32
"""Fewer say too little about a picture: three are its mean colour."""


def note_on_channels(features: FeatureSet) -> list[str]:
    """Says that averages over positions tell little of a set, where they do; else nothing.

    Where :func:`pooled_images` keeps a grid there is nothing to say.
    """
    channels = sum(cut.feature_shape[-1] for cut in features.cuts)
    if features.target != CLASS or channels >= FEWEST_CHANNELS or len(features.feature_shape) == 1:
        return []
    return [
        f"features are averaged over their positions here, which leaves {channels} channels: they tell "
        "little, however well a head does on whole maps"
    ]


def pooled_images(features: FeatureSet) -> FeatureSet:
    """Reads the images of a set, without augmented views, and averages maps over their positions.

    Several cuts are pooled each by itself and stand side by side. Of several labels, and of numbers, maps of
    few channels keep a coarse grid: the mean of all pixels is the colour of a picture. Of classes they do
    not, so that figures stay what they were.

    Args:
        features: Any rows.

    Returns:
        float32 (n, numbers of all cuts) in memory, of the n images.

    Raises:
        CacheMismatchError: A row is damaged.
    """
    images = np.flatnonzero(features.rows.views == 0)
    cuts = features.cuts
    grid = features.target != CLASS
    widths = [pooled_width(tuple(cut.feature_shape)) if grid else cut.feature_shape[-1] for cut in cuts]
    vectors = np.empty((len(images), sum(widths)), np.float32)
    left = 0
    for cut, width in zip(cuts, widths, strict=True):
        right = left + width
        row_bytes = cut.features.dtype.itemsize * int(np.prod(cut.feature_shape))
        size = max(BLOCK_BYTES // row_bytes, 1)
        for start in range(0, len(images), size):
            block = cut.read(images[start : start + size])
            pooled = pool_maps(block) if grid else _mean(block)
            vectors[start : start + size, left:right] = pooled
        left = right
    return replace(
        features,
        features=vectors,
        rows=features.rows.take(images),
        crc32=checksums(vectors),
        spec=replace(features.spec, pooling="avg"),
    )


def _mean(maps: np.ndarray) -> np.ndarray:
    """Averages maps (n, ..., channels) over all positions, float32 (n, channels)."""
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    return np.asarray(flat.mean(axis=1, dtype=np.float32))
