"""The executor of this process: what is written behind the base does not pile up, and its errors are told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.partial_file import PartialFile
from pipeline.extraction import Extraction
from pipeline.extraction.executors.local import BATCHES_BEHIND

Run = Callable[..., list[Extraction]]


def test_a_slow_disk_holds_the_base_back(
    photos: Photos, engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.add("train/cats", 16)
    photos.add("val/cats", 4)
    write, ahead = PartialFile.write, []

    def slow(writer: PartialFile, rows: np.ndarray, features: np.ndarray) -> None:
        before = -1
        while before != (now := len(engine.batches)):  # until the base comes no further without this
            before = now
            threading.Event().wait(0.02)
        ahead.append(now - len(ahead))
        write(writer, rows, features)

    monkeypatch.setattr(PartialFile, "write", slow)
    run(batch_size=1)
    assert len(ahead) == 20
    # One is being written, some wait for it, one was fetched, and one more is at the base.
    assert max(ahead) <= BATCHES_BEHIND + 3


def test_a_disk_that_fails_ends_the_run(
    photos: Photos, engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.add("train/cats", 3)
    photos.add("val/cats")

    def fail(*_: object) -> None:
        raise RuntimeError("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(PartialFile, "write", fail)
        with pytest.raises(RuntimeError, match="no disk"):
            run()
    (extraction,) = run()
    assert extraction.computed == 4
