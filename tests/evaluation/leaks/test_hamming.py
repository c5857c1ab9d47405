from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.leaks import hamming
from pipeline.evaluation.leaks.hamming import nearest_hashes


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
    monkeypatch.setattr(hamming, "_ROWS", rows)
    known, wanted = drawn(23, 1), drawn(11, 2)
    known[[4, 9]] = wanted[3]
    table = np.unpackbits(known[:, None] ^ wanted, axis=-1).sum(axis=-1, dtype=int)
    distance, partner = nearest_hashes(known, wanted, most_bits)
    close = table.min(axis=0) <= most_bits
    assert close[3]
    assert partner[3] == 4
    np.testing.assert_array_equal(distance, np.where(close, table.min(axis=0), -1))
    np.testing.assert_array_equal(partner[close], table.argmin(axis=0)[close])


@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0)])
def test_none_is_near_where_there_are_none(n: int, m: int) -> None:
    distance, partner = nearest_hashes(drawn(n, 1), drawn(m, 2), 20)
    assert distance.tolist() == [-1] * m
    assert len(partner) == m
