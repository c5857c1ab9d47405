"""Pictures that look the same: re-encoded, resized, mirrored or turned copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from pipeline.evaluation.leaks.findings import Finding
from pipeline.evaluation.leaks.hashes import FLIPS, ORIENTATIONS, Hashed, in_words, transposed
from pipeline.evaluation.leaks.likeness import Originals

_ROWS = 1024  # hashes on either side of a block, which so takes 8 MB and stays in the processor's cache

MOST_BITS = 20
"""Of 256. docs/leaks.md: no copy of a photograph at JPEG quality 30 or 70 % of the size is further away than
8, no two photographs of different things are nearer than 70 in any orientation, no two 8 x 8 scans of digits
nearer than 24."""
_KINDS = ("perceptual", "mirrored", "turned")
"""As it is; mirrored left to right, as so many augmentations do; in one of the six other orientations."""


def nearest_hashes(
    known: np.ndarray, wanted: np.ndarray, most_bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds, for each wanted hash, the nearest known one that is not further away than a limit.

    All eight orientations cost two passes: the first 64 bits of :func:`in_words` are those that no mirroring
    changes. The rest is compared only where these do not exceed the limit already: of two unrelated pictures
    about 32 of them differ.

    Args:
        known: uint8 (n, 32).
        wanted: uint8 (m, 32).
        most_bits: Largest Hamming distance.

    Returns:
        int (m,), the distances, -1 where no known hash is near enough; int (m,), the positions of the
        nearest; and int (m,), the orientation of the wanted picture, see ``ORIENTATIONS``. Of equally near
        ones the first orientation is taken, and of its partners the first.
    """
    m = len(wanted)
    distance, partner, orientation = np.full(m, -1), np.zeros(m, np.intp), np.zeros(m, np.intp)
    blocks = [
        (slice(left, left + _ROWS), turn, in_words(turned[left : left + _ROWS]))
        for turn, turned in enumerate((wanted, transposed(wanted)))
        for left in range(0, m, _ROWS)
    ]
    for top in range(0, len(known), _ROWS):
        some = in_words(known[top : top + _ROWS])
        for part, turn, others in blocks:
            rows, columns = np.nonzero(np.bitwise_count(some[:, :1] ^ others[:, 0]) <= most_bits)
            if not len(rows):
                continue
            differ = some[rows] ^ others[columns]
            every = np.stack([np.bitwise_count(differ ^ flip).sum(axis=1, dtype=int) for flip in FLIPS])
            whole, way = every.min(axis=0), every.argmin(axis=0) + turn * len(FLIPS)
            best, its = distance[part][columns], orientation[part][columns]
            better = (whole <= most_bits) & ((best < 0) | (whole < best) | ((whole == best) & (way < its)))
            rows, columns, whole, way = (each[better] for each in (rows, columns, whole, way))
            # Of several values for one place the last stays: the nearest, and of equals the first.
            order = np.lexsort((rows, way, whole))[::-1]
            rows, columns, whole, way = (each[order] for each in (rows, columns, whole, way))
            distance[part][columns] = whole
            partner[part][columns] = top + rows
            orientation[part][columns] = way
    return distance, partner, orientation


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
