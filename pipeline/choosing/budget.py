"""The time there is, and what the next step will take of it, from what earlier steps took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.choosing.contender import Contender, Extracted


@dataclass
class Budget:
    """Seconds to spend.

    Attributes:
        seconds: All of them.
        clock: Tells the time in seconds.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def spent(self) -> float:
        """Seconds that have passed."""
        return self.clock() - self.started

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 where they were too few."""
        return self.seconds - self.spent


@dataclass
class Pace:
    """What passes have taken so far.

    Attributes:
        image_s: Seconds an image, by contender.
        fixed_s: Seconds of a pass besides, by the name of the base: loading it, and taking stock.
    """

    image_s: dict[Contender, float] = field(default_factory=dict)
    fixed_s: dict[str, float] = field(default_factory=dict)

    def learn(self, found: Extracted) -> None:
        """Takes down what a pass took."""
        name = found.contender.base.backbone
        if found.image_s is not None:
            self.image_s[found.contender] = found.image_s
        rest = found.seconds - found.computed * (found.image_s or 0.0)
        self.fixed_s[name] = min(max(rest, 0.0), self.fixed_s.get(name, math.inf))  # the first one imports

    def predicted(self, contender: Contender, images: int) -> float | None:
        """Returns the seconds of a pass over so many images; None where the base was never timed.

        At a size that was never timed an image takes as much longer as it has more pixels.
        """
        known = self.image_s.get(contender)
        if known is None:
            known = next(
                (
                    seconds * (contender.image_size / other.image_size) ** 2
                    for other, seconds in self.image_s.items()
                    if other.base == contender.base
                ),
                None,
            )
        if known is None:
            return None
        return self.fixed_s.get(contender.base.backbone, 0.0) + images * known


@dataclass
class HeadPace:
    """What fits have taken so far.

    Attributes:
        value_s: Seconds for a number of the training rows, by head; those of the latest fit.
    """

    value_s: dict[str, float] = field(default_factory=dict)

    def learn(self, head: str, seconds: float, values: int) -> None:
        """Takes down what a fit on so many numbers took, answers for val included."""
        self.value_s[head] = seconds / values

    def predicted(self, head: str, values: int) -> float:
        """Returns the seconds of a fit on so many numbers; 0 where the head was never timed."""
        return self.value_s.get(head, 0.0) * values
