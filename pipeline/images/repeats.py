"""Texts that stand in a list more than once, found without a set of all of them."""

from __future__ import annotations

import numpy as np

from pipeline.images.texts import Texts


def repeated(texts: Texts) -> list[int]:
    """Returns the positions of all texts that stand there more than once, in order.

    Sixteen bytes a text are in memory meanwhile.
    """
    hashes = np.fromiter(map(hash, texts.encoded()), np.int64, len(texts))
    in_order = np.sort(hashes)
    twice = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    del in_order
    if not len(twice):
        return []
    known: dict[str, int] = {}
    found: set[int] = set()
    for position in np.flatnonzero(np.isin(hashes, twice)).tolist():  # equal hashes may be a coincidence
        first = known.setdefault(texts[position], position)
        if first != position:
            found |= {first, position}
    return sorted(found)
