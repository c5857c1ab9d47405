"""A trained stack of plain layers: NumPy answers for it, and Keras only where a network is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from pipeline.guards.hdf5 import refuse_foreign_parts
from pipeline.heads._keras.layers import SCALING, Layer, PlainLayer, Shape

if TYPE_CHECKING:
    import keras

BLOCK_ROWS = 256

Arrays = list[list[np.ndarray]]
"""What each layer of a stack has learnt, in Keras's order."""


@dataclass(frozen=True, eq=False)
class StackModel:
    """A trained stack.

    Attributes:
        layers: Descriptions of its layers.
        arrays: What they have learnt.
        make: Makes the network of Keras, trained or not.
    """

    layers: Sequence[PlainLayer]
    arrays: Arrays
    make: Callable[[], keras.Model]

    @cached_property
    def network(self) -> keras.Model:
        """The same as a network of Keras."""
        network = self.make()
        for layer, arrays in zip(network.layers, self.arrays, strict=True):
            layer.set_weights(arrays)
            if layer.name == SCALING:
                layer.finalize_state()
        return network

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to probabilities, float32 (n, m)."""
        blocks = [self._answer(features[start : start + BLOCK_ROWS]) for start in _starts(len(features))]
        return np.concatenate(blocks)

    def predict_targets(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to targets, float32 (n, k)."""
        return self.predict_proba(features)

    def save(self, path: Path) -> None:
        """Writes the weights as Keras does; the architecture follows from the head's options."""
        self.network.save_weights(path)

    def _answer(self, block: np.ndarray) -> np.ndarray:
        rows = block.astype(np.float32)
        for layer, arrays in zip(self.layers, self.arrays, strict=True):
            rows = layer.answer(rows, arrays)
        return rows


def plain_stack(layers: Sequence[Layer]) -> list[PlainLayer] | None:
    """Returns the layers where NumPy can answer for all of them, else None."""
    plain = [layer for layer in layers if isinstance(layer, PlainLayer)]
    return plain if len(plain) == len(layers) else None


def read_arrays(path: Path, layers: Sequence[PlainLayer], shape: Shape) -> Arrays:
    """Reads what a stack has learnt from a file of weights that Keras has written.

    Args:
        path: The file; it can come from anywhere.
        layers: The stack.
        shape: Shape of a row that enters it.

    Raises:
        ValueError: The file points to other files, or holds the weights of another stack.
    """
    with h5py.File(path, "r") as file:
        refuse_foreign_parts(path, file)
        wanted = _datasets(layers, shape)
        found: dict[str, Shape] = {}
        file.visititems(
            lambda name, item: found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
        )
        if found != {name: of for layer in wanted for name, of in layer.items()}:
            raise ValueError("its weights are not those of the network that head.json describes")
        return [[_floats(file[name]) for name in layer] for layer in wanted]


def _datasets(layers: Sequence[PlainLayer], shape: Shape) -> list[dict[str, Shape]]:
    """Returns name and shape of the datasets of each layer, in order."""
    named: list[dict[str, Shape]] = []
    before: Counter[str] = Counter()
    for layer in layers:
        number = before[layer.saved_as]
        group = f"layers/{layer.saved_as}{f'_{number}' if number else ''}/vars"
        named.append({f"{group}/{i}": of for i, of in enumerate(layer.arrays(shape))})
        before[layer.saved_as] += 1
        shape = layer.outputs(shape)
    return named


def _floats(dataset: h5py.Dataset) -> np.ndarray:
    """Reads an array; only the count of rows, which no answer is made of, is none of float32."""
    array = dataset[()]
    return np.asarray(array) if dataset.shape == () else np.asarray(array, np.float32)


def _starts(rows: int) -> range:
    return range(0, max(rows, 1), BLOCK_ROWS)
