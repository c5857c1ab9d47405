from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.leaks import lookalikes
from pipeline.evaluation.leaks.hashes import oriented
from pipeline.evaluation.leaks.lookalikes import nearest_hashes


def drawn(n: int, seed: int) -> np.ndarray:
    """Draws hashes that differ from one another in few bits."""
    random = np.random.default_rng(seed)
    common = np.random.default_rng(0).integers(0, 256, 32, dtype=np.uint8)
    return common ^ np.packbits(random.random((n, 256)) < 0.08, axis=1)


@pytest.mark.parametrize("rows", [1, 5, 1024])
@pytest.mark.parametrize("most_bits", [0, 20, 30, 256])
def test_the_nearest_is_that_of_the_whole_table(
    rows: int, most_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookalikes, "_ROWS", rows)
    known, wanted = drawn(23, 1), drawn(11, 2)
    known[[4, 9]] = wanted[3]
    known[6] = oriented(wanted[5:6], 6)[0]
    every = np.stack([oriented(wanted, way) for way in range(8)])
    table = np.unpackbits(every[:, None] ^ known[:, None], axis=-1).sum(
        axis=-1, dtype=int
    )  # way, known, wanted
    distance, partner, way = nearest_hashes(known, wanted, most_bits)
    close = table.min(axis=(0, 1)) <= most_bits
    assert close[[3, 5]].all()
    assert (partner[3], way[3], partner[5], way[5]) == (4, 0, 6, 6)
    np.testing.assert_array_equal(distance, np.where(close, table.min(axis=(0, 1)), -1))
    first = np.stack(np.divmod(table.reshape(-1, len(wanted)).argmin(axis=0), len(known)))
    np.testing.assert_array_equal(np.stack([way, partner])[:, close], first[:, close])


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0)])
def test_none_is_near_where_there_are_none(n: int, m: int) -> None:
    distance, partner, way = nearest_hashes(drawn(n, 1), drawn(m, 2), 20)
    assert distance.tolist() == [-1] * m
    assert len(partner) == len(way) == m
