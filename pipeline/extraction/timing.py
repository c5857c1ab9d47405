"""Where the time of stage one goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pipeline.wording import counted

T = TypeVar("T")

STEPS = (
    *("stock", "measure", "load", "copy", "fill", "forward", "wait_images", "wait_disk"),
    *("read", "decode", "write", "image_cpu"),
)
"""In seconds: taking stock, measuring what is fastest, loading the base, copying rows, and filling, which is
the forward pass and two kinds of waiting; reading, decoding and writing pass in threads meanwhile.
``image_cpu`` is what a processor spent on reading and decoding, without what those threads waited for one."""


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


@dataclass(frozen=True)
class Bound:
    """What the machine could reach at most, were nothing ever waited for.

    Attributes:
        forward: Images per second of the base alone.
        image_s: Processor seconds of reading and decoding an image.
        cores: How many decode.
        apart: Whether the base runs on a device of its own; else it shares the cores.
        reached: Images per second that were filled.
    """

    forward: float
    image_s: float
    cores: int
    apart: bool
    reached: float

    @property
    def rate(self) -> float:
        """Images per second: of the slower of two, or of both one after the other where they share cores."""
        forward_s, decode_s = 1 / self.forward, self.image_s / self.cores
        return 1 / (max(forward_s, decode_s) if self.apart else forward_s + decode_s)

    @property
    def share(self) -> float:
        """Which part of it was reached; above 1 where the base was measured too slow."""
        return self.reached / self.rate

    def __str__(self) -> str:
        if self.share > 1:
            return (
                f"{self.reached:.1f} images/s: nothing was waited for; the short trial of the base alone "
                f"made {self.forward:.1f}"
            )
        return (
            f"{self.reached:.1f} images/s, {self.share:.0%} of what is possible here: {self.rate:.1f} with "
            f"{self.forward:.1f} in the base alone and {1000 * self.image_s:.2f} ms to decode an image on "
            f"{counted(self.cores, 'core')}"
        )

    def to_json(self) -> dict[str, float]:
        """Returns the object that ``pipeline extract --json`` prints as ``bound``."""
        return {
            "images_per_second": round(self.rate, 1),
            "share": round(self.share, 3),
            "forward": round(self.forward, 1),
            "decode_ms": round(1000 * self.image_s, 3),
            "cores": self.cores,
        }


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
