"""The nearest of many hashes for each of some, by counting the bits that differ, block by block."""

from __future__ import annotations

import numpy as np

_ROWS = 1024  # hashes on either side of a block, which so takes 8 MB and stays in the processor's cache


def nearest_hashes(known: np.ndarray, wanted: np.ndarray, most_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Finds, for each wanted hash, the nearest known one that is not further away than a limit.

    The first 64 bits of all pairs are compared, the rest only where these do not exceed the limit already:
    of two unrelated pictures about 32 of them differ.

    Args:
        known: uint8 (n, 32).
        wanted: uint8 (m, 32).
        most_bits: Largest Hamming distance.

    Returns:
        int (m,), the distances, -1 where no known hash is near enough; and int (m,), the positions of the
        nearest. Of equally near ones the first is taken.
    """
    old, new = (np.ascontiguousarray(hashes).view(np.uint64) for hashes in (known, wanted))
    distance, partner = np.full(len(new), -1), np.zeros(len(new), np.intp)
    for top in range(0, len(old), _ROWS):
        for left in range(0, len(new), _ROWS):
            some, others = old[top : top + _ROWS], new[left : left + _ROWS]
            first = np.bitwise_count(some[:, :1] ^ others[:, 0])
            rows, columns = np.nonzero(first <= most_bits)
            if not len(rows):
                continue
            whole = np.bitwise_count(some[rows] ^ others[columns]).sum(axis=1, dtype=int)
            best = distance[left + columns]
            better = (whole <= most_bits) & ((best < 0) | (whole < best))
            rows, columns, whole = rows[better], columns[better], whole[better]
            # Of several values for one place the last stays: the nearest, and of equals the first row.
            order = np.lexsort((rows, whole))[::-1]
            distance[left + columns[order]] = whole[order]
            partner[left + columns[order]] = top + rows[order]
    return distance, partner
