"""Features averaged over positions: what is in a picture and not where, small enough for many quick fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.format import checksums

BLOCK_BYTES = 16 << 20
FEWEST_CHANNELS = 32
"""Fewer say too little about a picture: three are its mean colour."""


def note_on_channels(features: FeatureSet) -> list[str]:
    """Says that averages over positions tell little of a set, where they do; else nothing."""
    channels = sum(cut.feature_shape[-1] for cut in features.cuts)
    if channels >= FEWEST_CHANNELS or len(features.feature_shape) == 1:
        return []
    return [
        f"features are averaged over their positions here, which leaves {channels} channels: they tell "
        "little, however well a head does on whole maps"
    ]


def pooled_images(features: FeatureSet) -> FeatureSet:
    """Reads the images of a set, without augmented views, and averages maps over their positions.

    Several cuts are pooled each by itself and stand side by side.

    Args:
        features: Any rows.

    Returns:
        float32 (n, channels of all cuts) in memory, of the n images.

    Raises:
        CacheMismatchError: A row is damaged.
    """
    images = np.flatnonzero(features.rows.views == 0)
    cuts = features.cuts
    vectors = np.empty((len(images), sum(cut.feature_shape[-1] for cut in cuts)), np.float32)
    left = 0
    for cut in cuts:
        right = left + cut.feature_shape[-1]
        row_bytes = cut.features.dtype.itemsize * int(np.prod(cut.feature_shape))
        size = max(BLOCK_BYTES // row_bytes, 1)
        for start in range(0, len(images), size):
            block = cut.read(images[start : start + size])
            maps = block.reshape(len(block), -1, cut.feature_shape[-1])
            vectors[start : start + size, left:right] = maps.mean(axis=1, dtype=np.float32)
        left = right
    return replace(
        features,
        features=vectors,
        rows=features.rows.take(images),
        crc32=checksums(vectors),
        spec=replace(features.spec, pooling="avg"),
    )
