"""Classes of unequal size."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from pipeline.typed_options import Check

Balanced = Annotated[str, Check("balanced", lambda value: value == "balanced")]
"""Type of the option ``class_weight``: ``balanced``, or none."""


def row_weights(labels: np.ndarray, class_weight: str | None) -> np.ndarray:
    """Returns what each row counts, float64 (n,) with sum n.

    Args:
        labels: int (n,), 0..m-1, each of which occurs.
        class_weight: ``balanced``: every class counts the same in sum; none: every row does.
    """
    if class_weight is None:
        return np.ones(len(labels))
    counts = np.bincount(labels)
    return (len(labels) / (len(counts) * counts))[labels]
