"""Where the time of stage one goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Timings:
    """Seconds spent in each named step; steps in threads add up beyond the wall time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time inside the ``with`` block to a step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    def waiting_for(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Adds the time spent waiting for each next item to a step."""
        iterator = iter(items)
        while True:
            with self.step(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def add(self, other: dict[str, float]) -> None:
        """Adds seconds measured elsewhere, e.g. in a decoding thread."""
        for name, seconds in other.items():
            self.seconds[name] += seconds
