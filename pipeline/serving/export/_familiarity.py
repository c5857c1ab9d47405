"""Familiarity as layers: how near an image is to those of the training, beside the answers for it."""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cache.descriptions import FEW_CHANNELS, cell_starts
from pipeline.heads import Familiarity, TrainedHead
from pipeline.heads._core.familiarity import NEAREST, WHY_UNKNOWN
from pipeline.runtimes.keras import import_keras
from pipeline.serving.export._kinds import kind_of

if TYPE_CHECKING:
    import keras

FAMILIARITY = "familiarity"
"""Name of the output."""


def why_none(trained: TrainedHead, outputs: tuple[str, ...]) -> str:
    """Returns why a model does not give familiarity; empty where it does.

    Args:
        trained: The head.
        outputs: What models of the format can give.
    """
    if FAMILIARITY not in outputs:
        return f"models of this format give {kind_of(trained).output} alone; --format onnx gives both"
    return WHY_UNKNOWN if trained.familiarity is None else ""


def meaning_of(trained: TrainedHead) -> str:
    """Says what familiarity is."""
    return (
        f"mean cosine between the features of an image and those of the {NEAREST} training images nearest to "
        "it; below the threshold an image is unlike anything the head was trained on, and its "
        f"{kind_of(trained).names} mean nothing"
    )


def rule_text(trained: TrainedHead, familiarity: Familiarity) -> str:
    """Returns what a model says about its second output, as JSON."""
    return json.dumps({"output": FAMILIARITY, **familiarity.rule, "meaning": meaning_of(trained)})


def familiarity_of(features: keras.KerasTensor, familiarity: Familiarity) -> keras.KerasTensor:
    """Measures features as ``Familiarity.measure`` does.

    Args:
        features: float32 (n, *shape that the head takes); of several cuts flat, side by side.
        familiarity: What the head has of its training images.

    Returns:
        float32 (n,).
    """
    ops = import_keras().ops
    described = _described(features, familiarity.descriptions.shapes)
    cosines = ops.matmul(described, familiarity.known.astype(np.float32).T)
    nearest, _ = ops.top_k(cosines, k=min(NEAREST, len(familiarity.known)), sorted=False)
    return ops.clip(ops.mean(nearest, axis=1), -1.0, 1.0)


def _described(features: keras.KerasTensor, shapes: tuple[tuple[int, ...], ...]) -> keras.KerasTensor:
    """Maps features to descriptions of length 1, as ``Descriptions.describe`` does."""
    ops = import_keras().ops
    flat = ops.reshape(features, (-1, sum(map(prod, shapes))))
    described, start = [], 0
    for shape in shapes:
        end = start + prod(shape)
        described.append(_unit(_pooled(ops.reshape(flat[:, start:end], (-1, *shape)), shape)))
        start = end
    return ops.concatenate(described, axis=1) / float(np.sqrt(len(described)))


def _pooled(part: keras.KerasTensor, shape: tuple[int, ...]) -> keras.KerasTensor:
    ops = import_keras().ops
    places = tuple(range(1, len(shape)))
    if places and shape[-1] >= FEW_CHANNELS:
        return ops.mean(part, axis=places)
    if len(shape) == 3:
        height, width, channels = shape
        rows, columns = _averaging(height), _averaging(width)
        part = ops.matmul(rows, ops.reshape(part, (-1, height, width * channels)))
        part = ops.matmul(columns, ops.reshape(part, (-1, len(rows), width, channels)))
        shape = (len(rows), len(columns), channels)
    return ops.reshape(part, (-1, prod(shape)))


def _averaging(length: int) -> np.ndarray:
    """Returns the matrix (cells, length), float32, that averages positions over each cell of the grid."""
    ends = [*cell_starts(length)[1:], length]
    cell = np.searchsorted(ends, np.arange(length), side="right")
    inside = cell == np.arange(len(ends))[:, None]
    return (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)


def _unit(rows: keras.KerasTensor) -> keras.KerasTensor:
    ops = import_keras().ops
    lengths = ops.sqrt(ops.sum(ops.square(rows), axis=1, keepdims=True))
    return rows / ops.maximum(lengths, float(np.finfo(np.float32).tiny))
