"""The best partner of every vector among many, without ever holding the table of all pairs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_ROWS = 4096  # vectors on either side of one product, which so stays at 64 MB


def best_partners(blocks: Iterable[np.ndarray], held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds, for each held vector, the one among all blocks with the largest dot product.

    Args:
        blocks: float32 (b, d) each, one after the other.
        held: float32 (m, d).

    Returns:
        float32 (m,), the largest product, -inf where there are no blocks; and int (m,), the position of the
        partner, counted through all blocks. Of equal ones the first is taken.
    """
    best = np.full(len(held), -np.inf, np.float32)
    partner = np.zeros(len(held), np.intp)
    start = 0
    for block in (big[top : top + _ROWS] for big in blocks for top in range(0, len(big), _ROWS)):
        for left in range(0, len(held), _ROWS):
            part = slice(left, left + _ROWS)
            # Held vectors are the rows, so that the maximum runs along contiguous memory.
            products = held[part] @ block.T
            winner = products.argmax(axis=1)
            value = products[np.arange(len(winner)), winner]
            better = value > best[part]
            best[part][better] = value[better]
            partner[part][better] = winner[better] + start
        start += len(block)
    return best, partner
