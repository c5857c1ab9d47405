"""Passes of stage one over a sample or over all images, and what was learnt of their cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.choosing.budget import Budget, Pace
from pipeline.choosing.contender import Contender, Extracted, Images, base_alone_s, extracted
from pipeline.choosing.record import Tried
from pipeline.images.targets import CLASS
from pipeline.progress import say
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

LOOK = 32
"""Images that a base is timed with before it is given more."""


@dataclass(eq=False)
class Passes:
    """Runs contenders over images.

    Attributes:
        images: All images.
        budget: The time.
        target: What is known of an image, see ``images/targets.py``.
        tried: What was tried so far.
        pace: What passes took.
    """

    images: Images
    budget: Budget
    target: str = CLASS
    tried: list[Tried] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    _settled: dict[Contender, FeatureSpec] = field(default_factory=dict)
    _seen: dict[Contender, int] = field(default_factory=dict)

    def predicted(self, contender: Contender, count: int) -> float | None:
        """Returns the seconds of a pass over so many images, of which those of earlier passes cost nothing.

        A base that was never timed is timed with a few images first; None for raw pixels before that.
        """
        if self.pace.predicted(contender, count) is None and not contender.base.is_pixels and count > LOOK:
            say(f"choose: {contender}: how fast is it? {counted(LOOK, 'image')}")
            self.run(contender, self.images.sample(LOOK), LOOK)
        return self.pace.predicted(contender, max(count - self.seen(contender), 0))

    def seen(self, contender: Contender) -> int:
        """Returns how many images a contender was run over."""
        return self._seen.get(contender, 0)

    def run(self, contender: Contender, images: Images, count: int) -> Extracted:
        """Brings about the features of some images.

        Args:
            contender: The base and the size.
            images: All images, or a sample of them.
            count: How many they are.
        """
        found = extracted(contender, images, self._settled.get(contender))
        self._settled[contender] = found.spec
        self._seen[contender] = count
        self.pace.learn(found)
        if contender not in self.pace.image_s:
            self.pace.image_s[contender] = base_alone_s(found)
        return found

    def leave_out(self, contender: Contender, why: str) -> None:
        """Says, and takes down, why a contender goes no further."""
        say(f"choose: {contender} goes no further: {why}")
        self.tried.append(Tried.without(contender, why, self.target))

    @property
    def left(self) -> str:
        """The time left, in words."""
        return f"{max(self.budget.left, 0.0):.0f} s are left"


def about(seconds: float | None) -> str:
    """Says what a step will take, where that is known."""
    return "" if seconds is None else f", about {seconds:.0f} s"
