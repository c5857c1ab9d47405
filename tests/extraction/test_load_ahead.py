"""Loading ahead of the base: in order, only a few batches, and over when nobody wants more."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from pipeline.extraction import load
from pipeline.extraction.load import Batch

PARTS = 12


class Shelf:
    """Takes the place of the loader: a batch a row, and a count of those that were asked for."""

    batch_size = 1

    def __init__(self, fails_at: int = -1) -> None:
        self.loaded: list[int] = []
        self._fails_at = fails_at
        self._lock = threading.Lock()

    def load(self, rows: np.ndarray) -> Batch:
        with self._lock:
            self.loaded.append(int(rows[0]))
        if rows[0] == self._fails_at:
            raise MemoryError
        return Batch(
            np.full((1, 1, 1, 3), rows[0], np.uint8), np.ones(1, bool), [], np.zeros((1, 32), np.uint8)
        )

    def settled(self) -> int:
        """Waits until the threads have come as far as they go without a consumer."""
        before = -1
        while before != (now := len(self.loaded)):
            before = now
            time.sleep(0.02)
        return now


WANTED = [np.array([row]) for row in range(PARTS)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_slow_base_does_not_pile_up_images(threads: int) -> None:
    shelf = Shelf()
    batches = load.load_ahead(WANTED, shelf, threads)
    for taken in range(1, PARTS + 1):
        assert next(batches).images.flat[0] == taken - 1
        assert shelf.settled() <= taken - 1 + threads + load.BATCHES_AHEAD
    assert next(batches, None) is None
    assert sorted(shelf.loaded) == list(range(PARTS))


def test_the_next_batches_are_loaded_while_one_is_used() -> None:
    shelf = Shelf()
    batches = load.load_ahead(WANTED, shelf, 2)
    next(batches)
    assert shelf.settled() > 1


def test_nothing_more_is_loaded_once_the_base_has_given_up() -> None:
    shelf = Shelf()
    batches = load.load_ahead(WANTED, shelf, 2)
    next(batches)
    batches.close()
    loaded = len(shelf.loaded)
    assert loaded <= 2 + load.BATCHES_AHEAD
    assert shelf.settled() == loaded


def test_an_error_in_a_thread_reaches_the_base() -> None:
    with pytest.raises(MemoryError):
        list(load.load_ahead(WANTED, Shelf(fails_at=7), 2))
