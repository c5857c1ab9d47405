from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.leaks import likeness
from pipeline.evaluation.leaks.likeness import best_partners


@pytest.mark.parametrize("rows", [1, 3, 4096])
@pytest.mark.parametrize("cut", [1, 5, 23])
def test_the_best_partner_is_that_of_the_whole_table(
    rows: int, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "_ROWS", rows)
    random = np.random.default_rng(0)
    many, held = (random.normal(size=(n, 6)).astype(np.float32) for n in (23, 11))
    best, partner = best_partners((many[i : i + cut] for i in range(0, 23, cut)), held)
    np.testing.assert_allclose(best, (held @ many.T).max(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(partner, (held @ many.T).argmax(axis=1))


def test_of_equal_partners_the_first_is_taken() -> None:
    same = np.ones((4, 2), np.float32)
    assert best_partners([same[:2], same[2:]], same)[1].tolist() == [0, 0, 0, 0]


def test_without_blocks_there_is_no_partner() -> None:
    best, _ = best_partners([], np.ones((2, 3), np.float32))
    assert best.tolist() == [-np.inf, -np.inf]


def test_nobody_looks_for_a_partner() -> None:
    best, partner = best_partners([np.ones((2, 3), np.float32)], np.empty((0, 3), np.float32))
    assert (len(best), len(partner)) == (0, 0)
