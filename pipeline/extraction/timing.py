"""Where the time of stage one goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

STEPS = ("stock", "load", "copy", "fill", "forward", "wait_images", "wait_disk", "read", "decode", "write")
"""In seconds: taking stock, loading the base, copying rows, and filling, which is the forward pass and two
kinds of waiting; reading, decoding and writing pass in threads meanwhile."""


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


def bottleneck(seconds: Mapping[str, float]) -> str:
    """Names the step that bounds stage one: what the loop spends most of its time in, or waiting for."""
    waits = {
        "forward": seconds.get("forward", 0.0),
        "write": seconds.get("wait_disk", 0.0),
        max(("read", "decode"), key=lambda step: seconds.get(step, 0.0)): seconds.get("wait_images", 0.0),
    }
    return max(waits, key=lambda step: waits[step])


def describe_timings(seconds: Mapping[str, float]) -> str:
    """Says in one line where the time of stage one went and what bounds it."""
    parts = {step: f"{seconds.get(step, 0.0):.1f} s" for step in STEPS}
    return (
        f"load {parts['load']}, fill {parts['fill']}: forward {parts['forward']}, waiting for images "
        f"{parts['wait_images']}, for the disk {parts['wait_disk']}; meanwhile read {parts['read']}, "
        f"decode {parts['decode']}, write {parts['write']}. Bound by: {bottleneck(seconds)}"
    )
