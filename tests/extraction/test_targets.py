"""Batches against a naive placing: every row gets the features of its own image, and no other row any."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.extraction.load import Batch
from pipeline.extraction.plan import Block, plan_blocks
from pipeline.extraction.targets import BatchSlice, rows_to_load, scatter, slices_of

LOADER = SimpleNamespace(items=[SimpleNamespace(id=f"image {row}") for row in range(40)])


def features_of(keys: np.ndarray, cut: int, batch_size: int) -> np.ndarray:
    """Makes features that tell key and cut, float32 (batch size, 2); rows beyond the keys are NaN."""
    features = np.full((batch_size, 2), np.nan, np.float32)
    features[: len(keys)] = np.stack([keys, np.full(len(keys), cut)], axis=1)
    return features


@pytest.mark.parametrize("seed", range(30))
def test_every_row_gets_the_features_of_its_key(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, batch_size, cuts = int(rng.integers(1, 40)), int(rng.integers(1, 9)), int(rng.integers(1, 4))
    keys = rng.integers(0, rng.choice([5, 1000]), rows)
    done = [rng.random(rows) < rng.choice([0, 0.3]) for _ in range(cuts)]
    bad = keys % 7 == 3 if rng.random() < 0.5 else np.zeros(rows, bool)
    blocks = plan_blocks(keys.astype("V8"), done, batch_size * int(rng.integers(1, 4)))
    parts = slices_of(blocks, batch_size)
    found: list[dict[int, list[float]]] = [{} for _ in range(cuts)]
    for part, wanted in zip(parts, rows_to_load(parts, batch_size), strict=True):
        assert 0 < len(wanted) <= batch_size
        loaded = ~bad[wanted]
        computed = [features_of(keys[wanted], cut, batch_size) for cut in range(cuts)]
        for one in computed:
            one[: len(wanted)][~loaded] = np.nan  # of no use
        batch = Batch(np.zeros(0), loaded, [], np.zeros(0))
        for cut, (places, features) in enumerate(scatter(part, batch, computed, LOADER)):
            assert (np.diff(places) > 0).all()
            assert len(places) == len(features)
            assert not found[cut].keys() & set(places.tolist())
            found[cut] |= dict(zip(places.tolist(), features.tolist(), strict=True))
    for cut in range(cuts):
        lacking = np.flatnonzero(~done[cut] & ~bad)
        assert found[cut] == {row: [keys[row], cut] for row in lacking.tolist()}


def test_a_block_is_complete_after_its_last_batch() -> None:
    blocks = [Block(number, np.arange(size), ()) for number, size in enumerate((3, 4, 5))]
    parts = [(part.block.number, part.start, part.last) for part in slices_of(blocks, 2)]
    assert parts == [
        *((0, 0, False), (0, 2, True)),
        *((1, 0, False), (1, 2, True)),
        *((2, 0, False), (2, 2, False), (2, 4, True)),
    ]


def test_the_image_whose_features_overflow_is_named() -> None:
    targets = np.array([[0, 5], [1, 6], [1, 9]])
    part = BatchSlice(Block(0, np.array([5, 6]), (targets,)), 0, last=True)
    features = np.array([[1, 1], [np.inf, 1]], np.float16)
    placed = scatter(part, Batch(np.zeros(0), np.ones(2, bool), [], np.zeros(0)), [features], LOADER)
    with pytest.raises(PipelineError, match=r"features of image 6 \(row 6\) are not finite in float16"):
        list(placed)
