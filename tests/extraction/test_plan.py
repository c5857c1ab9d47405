"""The plan against a naive one made of dictionaries, and by hand for the cases worth reading."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.extraction.plan import Block, plan_blocks, plan_copies, rows_in_block


def keys(text: str) -> np.ndarray:
    """One key a letter, void (n,)."""
    return np.array([letter.encode() * 33 for letter in text], "S33").view("V33")


def flags(text: str) -> np.ndarray:
    return np.array([letter == "x" for letter in text], bool)


def listed(blocks: list[Block]) -> list[tuple[list[int], list[list[list[int]]]]]:
    return [(block.rows.tolist(), [pairs.tolist() for pairs in block.targets]) for block in blocks]


def test_rows_that_stand_elsewhere_are_copied() -> None:
    rows, sources = plan_copies(keys("abcad"), flags("..x.."), keys("zac"))
    assert rows.tolist() == [0, 3]
    assert sources.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("wanted", "done", "stored"),
    [("", "", "abc"), ("abc", "...", ""), ("abc", "xxx", "abc"), ("abc", "...", "zy")],
)
def test_nothing_to_copy(wanted: str, done: str, stored: str) -> None:
    rows, sources = plan_copies(keys(wanted), flags(done), keys(stored))
    assert len(rows) == len(sources) == 0


def test_missing_rows_become_blocks() -> None:
    blocks = plan_blocks(keys("abcde"), [flags(".x...")], 3)
    assert [block.number for block in blocks] == [0, 1]
    assert [len(block) for block in blocks] == [3, 1]
    assert listed(blocks) == [([0, 2, 3], [[[0, 0], [1, 2], [2, 3]]]), ([4], [[[0, 4]]])]


def test_equal_keys_are_computed_once_and_written_to_every_place() -> None:
    (block,) = plan_blocks(keys("abab"), [flags("....")], 9)
    assert block.rows.tolist() == [0, 1]
    assert block.targets[0].tolist() == [[0, 0], [1, 1], [0, 2], [1, 3]]


def test_each_cut_gets_what_it_misses() -> None:
    blocks = plan_blocks(keys("abc"), [flags("x.."), flags("..x")], 2)
    assert listed(blocks) == [([0, 1], [[[1, 1]], [[0, 0], [1, 1]]]), ([2], [[[0, 2]], []])]


@pytest.mark.parametrize("done", ["", "xxx"])
def test_nothing_to_compute(done: str) -> None:
    assert plan_blocks(keys("abc"[: len(done)]), [flags(done)], 4) == []


def naive_blocks(wanted: str, done: list[str], size: int) -> list[tuple[list[int], list[list[list[int]]]]]:
    missing = [g for g in range(len(wanted)) if any(cut[g] != "x" for cut in done)]
    first: dict[str, int] = {}
    for g in missing:
        first.setdefault(wanted[g], g)
    work = list(first.values())
    blocks = []
    for start in range(0, len(work), size):
        rows = work[start : start + size]
        place = {wanted[g]: position for position, g in enumerate(rows)}
        targets = [
            [[place[wanted[g]], g] for g in missing if wanted[g] in place and cut[g] != "x"] for cut in done
        ]
        blocks.append((rows, targets))
    return blocks


@pytest.mark.parametrize("seed", range(60))
def test_plans_equal_naive_ones(seed: int) -> None:
    random = np.random.default_rng(seed)

    def word(letters: str, length: int) -> str:
        return "".join(random.choice(list(letters), length))

    length = int(random.integers(0, 40))
    wanted, stored = word("abcdefghijklmnop", length), word("abcdxyz", int(random.integers(0, 12)))
    done = [word("x.", length) for _ in range(random.integers(1, 4))]
    size = int(random.integers(1, 8))

    rows, sources = plan_copies(keys(wanted), flags(done[0]), keys(stored))
    assert rows.tolist() == [g for g in range(length) if done[0][g] != "x" and wanted[g] in stored]
    assert [stored[source] for source in sources] == [wanted[g] for g in rows]

    blocks = plan_blocks(keys(wanted), [flags(cut) for cut in done], size)
    assert listed(blocks) == naive_blocks(wanted, done, size)


@pytest.mark.parametrize(
    ("batch_size", "most", "missing", "workers", "expected"),
    [
        (32, 256, 10_000, 1, 256),
        (48, 256, 10_000, 1, 240),
        (300, 256, 10_000, 1, 300),
        (32, 10, 10_000, 1, 32),
        (32, 0, 10_000, 1, 32),
        (32, 256, 100, 1, 256),
        (32, 256, 10_000, 4, 256),
        (32, 256, 1_000, 4, 32),
        (4, 256, 80, 2, 8),
        (4, 256, 1, 2, 4),
    ],
)
def test_blocks_are_full_batches_and_enough_for_all(
    batch_size: int, most: int, missing: int, workers: int, expected: int
) -> None:
    assert rows_in_block(batch_size, most=most, missing=missing, workers=workers) == expected
