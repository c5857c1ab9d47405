"""Pictures that look the same: re-encoded, resized, mirrored or turned copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from pipeline.evaluation.leaks.findings import Finding
from pipeline.evaluation.leaks.hamming import nearest_hashes
from pipeline.evaluation.leaks.hashes import Hashed
from pipeline.evaluation.leaks.hashing import ORIENTATIONS
from pipeline.evaluation.leaks.originals import Originals

MOST_BITS = 20
"""Of 256. docs/leaks.md: no copy of a photograph at JPEG quality 30 or 70 % of the size is further away than
8, no two photographs of different things are nearer than 70 in any orientation, no two 8 x 8 scans of digits
nearer than 24."""
_KINDS = ("perceptual", "mirrored", "turned")
"""As it is; mirrored left to right, as so many augmentations do; in one of the six other orientations."""


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
        keys = later.keys
        rows = [row for row in np.flatnonzero(hashed[later.split].known) if keys[row] not in twins]
        found = nearest_hashes(hashed[earlier.split].hashes[old], hashed[later.split].hashes[rows], most_bits)
        for row, distance, partner, way in zip(rows, *found, strict=True):
            if distance >= 0:
                change = ORIENTATIONS[way] if way else ""
                places = earlier.place(old[partner]), later.place(row)
                yield Finding(_KINDS[min(way, 2)], *places, float(distance), change)
