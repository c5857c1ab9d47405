"""Pictures that look the same: re-encoded, resized or mirrored copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from pipeline.evaluation.leaks.findings import Finding
from pipeline.evaluation.leaks.hashes import Hashed
from pipeline.evaluation.leaks.hashing import BITS, as_vectors, mirrored
from pipeline.evaluation.leaks.nearest import best_partners
from pipeline.evaluation.leaks.originals import Originals

MOST_BITS = 20
"""Of 256. docs/leaks.md: no copy at JPEG quality 30 or 70 % of the size is further away than 11, no two
photographs of different things are nearer than 78, no two 8 x 8 scans of digits nearer than 26."""
_BLOCK = 4096


def find_lookalikes(
    splits: Sequence[Originals], hashed: dict[str, Hashed], *, most_bits: int = MOST_BITS
) -> Iterator[Finding]:
    """Yields each picture with its nearest in every earlier split, where their hashes hardly differ.

    Files that are the same byte for byte are left to the exact check.

    Args:
        splits: In the order train, val, test.
        hashed: The hashes of each.
        most_bits: Largest Hamming distance of two copies, of 256 bits.
    """
    for earlier, later in combinations(splits, 2):
        old = np.flatnonzero(hashed[earlier.split].known)
        twins = set(earlier.keys)
        rows = [row for row in np.flatnonzero(hashed[later.split].known) if later.keys[row] not in twins]
        straight = hashed[later.split].hashes[rows]
        # One pass over the earlier split serves both ways of looking at each picture.
        both = as_vectors(np.concatenate([straight, mirrored(straight)]))
        blocks = (
            as_vectors(hashed[earlier.split].hashes[old[i : i + _BLOCK]]) for i in range(0, len(old), _BLOCK)
        )
        products, partner = best_partners(blocks, both)
        distances = ((BITS - products) / 2).reshape(2, -1)
        partner = partner.reshape(2, -1)
        for position, row in enumerate(rows):
            for kind, way in (("perceptual", 0), ("mirrored", 1)):
                if distances[way, position] <= most_bits:
                    first = earlier.place(old[partner[way, position]])
                    yield Finding(kind, first, later.place(row), float(distances[way, position]))
                    break
