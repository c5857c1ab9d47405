"""Scaling of features by the moments of the training rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


SCALING = "scaling"


def fit_scaling(network: keras.Model, blocks: Iterable[np.ndarray]) -> None:
    """Sets the network's scaling, where it has one, to the moments of the training rows.

    Args:
        network: Its layer of the name ``SCALING`` is set.
        blocks: The rows' features in pieces, (n, *feature shape) each; read only where there is such a layer.
    """
    for layer in network.layers:
        if layer.name == SCALING:
            mean, variance, count = channel_moments(blocks)
            layer.set_weights([mean, variance, np.int32(count)])
            layer.finalize_state()


def channel_moments(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns mean and variance of each channel (last axis), float32 (channels,) each, and the rows seen.

    A constant channel gets variance 1: whatever differs from it later must not be blown up.
    """
    origin, total, squares, values, rows = None, 0.0, 0.0, 0, 0
    for block in blocks:
        table = block.reshape(-1, block.shape[-1])
        if origin is None:
            # Distances to one row instead of to zero: exact for constant channels, and no digits cancel.
            origin = table[0].astype(np.float64)
        distance = table - origin
        total = total + distance.sum(axis=0)
        squares = squares + np.square(distance).sum(axis=0)
        values, rows = values + len(table), rows + len(block)
    mean = total / values
    variance = squares / values - mean**2
    return (
        (origin + mean).astype(np.float32),
        np.where(variance > 0, variance, 1).astype(np.float32),
        rows,
    )
