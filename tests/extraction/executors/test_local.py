"""The executor of this process: what does not fit is halved, and what is written behind does not pile up."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.partial_file import PartialFile
from pipeline.errors import PipelineError
from pipeline.extraction import Extraction
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.executors.local import BATCHES_BEHIND

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]
Refuse = Callable[..., None]


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


@pytest.mark.parametrize("fits", [1, 3])
def test_a_batch_that_does_not_fit_is_halved_until_it_does(
    fits: int,
    photos: Photos,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
    refuse: Refuse,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photos.add("train/cats", 9)
    photos.add("val/cats")
    refuse(above=fits)
    (extraction,) = run(batch_size=8)
    assert max(engine.batches) == {1: 1, 3: 2}[fits]
    assert f"a batch does not fit the memory: going on with batches of {max(engine.batches)}" in (
        capsys.readouterr().err
    )
    assert set(engine.seen.values()) == {1}
    assert extraction.computed == 10
    assert_complete(extraction)


def test_where_not_even_one_image_fits_the_run_ends(photos: Photos, run: Run, refuse: Refuse) -> None:
    photos.add("val/cats", 2)
    refuse(above=0)
    with pytest.raises(PipelineError, match=r"not even one image fits the memory: .*--image-size"):
        run(batch_size=2)


@pytest.fixture
def refuse(engine: CountingEngine, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Lets no batch above a size fit the memory."""
    submit = engine.submit

    def refuse(*, above: int) -> None:
        def submit_few(images: np.ndarray) -> np.ndarray:
            if len(images) > above:
                raise BatchTooLargeError
            return submit(images)

        monkeypatch.setattr(engine, "submit", submit_few)

    return refuse


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
