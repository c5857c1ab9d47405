"""Several cuts of a base come out of one pass, each into an entry of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.feature_file import open_feature_file
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


def test_several_cuts_are_filled_in_one_pass(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    photos.add("train/cats", 7)
    photos.add("val/cats", 2)
    cuts = run(layers=("block2_pool", "block4_pool:avg"))
    assert set(engine.seen.values()) == {1}
    assert [cut.entry.spec.layer for cut in cuts] == ["block2_pool", "block4_pool"]
    assert [cut.entry.spec.pooling for cut in cuts] == ["none", "avg"]
    assert len({cut.entry.folder for cut in cuts}) == 2
    for cut in cuts:
        assert cut.computed == 9
        assert_complete(cut)
        for split in cut.entry.splits:
            assert open_feature_file(cut.entry.file(split)).header.software["numpy"] == np.__version__


def test_a_later_cut_fills_only_what_is_missing(
    photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    photos.add("train/cats", 4)
    photos.add("val/cats", 2)
    (before,) = run(layers=("block2_pool",))
    written = before.entry.file("train").stat()
    engine.forget()
    old, new = run(layers=("block2_pool", "block3_pool"))
    assert engine.computed == 6
    assert (old.computed, new.computed) == (0, 6)
    assert (old.passed, new.passed) == (6, 6)
    assert old.entry.file("train").stat().st_ino == written.st_ino
    assert_complete(new)
    engine.forget()
    photos.add("train/cats")
    old, new = run(layers=("block2_pool", "block3_pool"))
    assert (engine.computed, old.computed, new.computed) == (1, 1, 1)
    assert (old.passed, new.passed) == (1, 1)
    assert_complete(old)
    assert_complete(new)
