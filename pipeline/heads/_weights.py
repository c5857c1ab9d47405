"""Weights of a network from a file that can come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cache.structure import refuse_foreign_parts
from pipeline.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras


def load_weights(path: Path, build: Callable[[], keras.Model], *, channels: int) -> keras.Model:
    """Builds a network and fills in its weights.

    The network is planned first, without a value in it: options in a file may ask for layers of any width.

    Args:
        path: A file of weights only.
        build: Makes the network, untrained.
        channels: Length of the last axis of its input, for each of which it has a weight at least.

    Raises:
        ValueError: The file points to other files, or holds the weights of another network.
    """
    import h5py

    with h5py.File(path, "r") as file:
        refuse_foreign_parts(path, file)
    size = path.stat().st_size
    other = "its weights are not those of the network that head.json describes"
    # Some layers make constants of their input's length even while they are only planned.
    if channels > size or _weights_of(build) > size:
        raise ValueError(other)
    network = build()
    try:
        network.load_weights(path)
    except (KeyError, ValueError) as error:
        raise ValueError(other) from error
    return network


def _weights_of(build: Callable[[], keras.Model]) -> int:
    with import_keras().StatelessScope(initialize_variables=False):
        return sum(math.prod(variable.shape) for variable in build().variables)
