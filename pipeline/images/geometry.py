"""Geometry: which part of a picture becomes the square that a base is shown, and how far it is reduced."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pipeline.errors import UsageError

Box = tuple[float, float, float, float]
"""A part of a picture in pixels: left, top, right, bottom."""

MOST_EDGE = 65_536
_FORM = re.compile(r"(?P<what>shorter-edge|square)-(?P<edge>[0-9]{1,5})(?P<even>-even)?")


@dataclass(frozen=True)
class Geometry:
    """How a picture becomes a square.

    The picture is resized first, and the centre of the result is cut out.

    Attributes:
        edge: Pixels that the picture is resized to; 0 = as many as the square has, so nothing is cut off.
        keeps_ratio: Whether that is its shorter edge, the other in proportion; otherwise it is both edges.
        even: Where an odd number of pixels is cut off: half of it, rounded to the even number as torchvision
            does, not down as the processors of transformers do.
    """

    edge: int = 0
    keeps_ratio: bool = False
    even: bool = False

    @classmethod
    def parse(cls, text: str) -> Geometry:
        """Reads what ``str()`` writes.

        Raises:
            UsageError: It is nothing of that kind.
        """
        if not text:
            return cls()
        found = _FORM.fullmatch(text)
        if found is None or not 0 < int(found["edge"]) <= MOST_EDGE:
            raise UsageError(
                f"geometry {text!r} is not known: it is empty, or like shorter-edge-256 or square-256"
            )
        return cls(int(found["edge"]), found["what"] == "shorter-edge", bool(found["even"]))

    def __str__(self) -> str:
        """Writes it as a spec has it: empty where the whole picture is squashed into the square."""
        if not self.edge:
            return ""
        what = "shorter-edge" if self.keeps_ratio else "square"
        return f"{what}-{self.edge}{'-even' if self.even else ''}"

    def in_size(self, size: int, *, of: int) -> Geometry:
        """Returns what shows the same part of a picture in a square of another size.

        Args:
            size: Height and width of that square in pixels.
            of: Those of the square that this geometry was stated for.
        """
        return replace(self, edge=max(round(self.edge * size / of), size)) if self.edge else self

    def reduced_to(self, size: int) -> int:
        """Returns the pixels that the shorter edge of the whole picture is resized to."""
        return self.edge or size

    def resized(self, width: float, height: float, size: int) -> tuple[int, int]:
        """Returns what a whole picture is resized to, in pixels across and down."""
        edge = self.reduced_to(size)
        if not self.keeps_ratio:
            return edge, edge
        if width > height:
            return int(edge * width / height), edge
        return edge, int(edge * height / width)

    def corner(self, across: int, down: int, size: int) -> tuple[int, int]:
        """Returns where the square begins in a picture that was resized, from the left and from above."""
        return self._half(across - size), self._half(down - size)

    def part(self, box: Box, size: int) -> Box:
        """Returns the part of a picture that becomes the square when it is resized at once.

        Args:
            box: Where the picture is.
            size: Height and width of the square in pixels.
        """
        left, top, right, bottom = box
        across, down = self.resized(right - left, bottom - top, size)
        wide, high = (right - left) / across, (bottom - top) / down
        skipped, above = self.corner(across, down, size)
        begin, start = left + skipped * wide, top + above * high
        return begin, start, min(begin + size * wide, right), min(start + size * high, bottom)

    def _half(self, rest: int) -> int:
        return round(rest / 2) if self.even else rest // 2
