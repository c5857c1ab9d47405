"""Preprocessing of a base that comes as a file: what its pictures have to look like, which no graph says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pipeline.errors import UsageError
from pipeline.images.geometry import MOST_EDGE, Geometry

CHANNELS = ("rgb", "bgr")
LAYOUTS = ("nchw", "nhwc")
Triple = tuple[float, float, float]

_NUMBER = r"-?[0-9.e+-]+"
_TRIPLE = rf"({_NUMBER},{_NUMBER},{_NUMBER})"
_FORM = re.compile(rf"(rgb|bgr) (nchw|nhwc) scale=({_NUMBER}) mean={_TRIPLE} std={_TRIPLE}")


@dataclass(frozen=True)
class Normalisation:
    """What is done with the numbers of a picture, inside the network: ``(pixel * scale - mean) / std``.

    Attributes:
        channels: Order of the colours, ``rgb`` or ``bgr``; mean and std are in this order, too.
        layout: Order of the axes, ``nchw`` or ``nhwc``.
        scale: Factor on pixels from 0 to 255.
        mean: Taken from each channel.
        std: What each channel is divided by.
    """

    channels: str
    layout: str
    scale: float
    mean: Triple
    std: Triple

    def __str__(self) -> str:
        """Writes it as a spec has it."""
        moments = f"mean={_text(self.mean)} std={_text(self.std)}"
        return f"{self.channels} {self.layout} scale={self.scale!r} {moments}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what ``str()`` writes.

        Raises:
            ValueError: It is nothing of that kind.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"preprocessing {text[:80]!r} is not known")
        channels, layout, scale, mean, std = found.groups()
        return cls(channels, layout, float(scale), triple(mean.split(",")), triple(std.split(",")))

    @property
    def changes_nothing(self) -> bool:
        """Whether pixels go into the network as they are, but for the order of axes and colours."""
        return self.scale == 1 and self.mean == (0, 0, 0) and self.std == (1, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """All that has to be known of a network's pictures.

    Attributes:
        origin: What says so.
        size: Height and width in pixels of what the network is shown.
        filter: What pictures are resized with, see ``pipeline.images.resizing``.
        geometry: Which part of a picture is shown, at that size.
        channels: Order of the colours.
        layout: Order of the axes; empty = as the graph shows it.
        scale: Factor on pixels from 0 to 255.
        mean: Taken from each channel.
        std: What each channel is divided by.
    """

    origin: str
    size: int
    filter: str
    geometry: Geometry
    channels: str
    scale: float
    mean: Triple
    std: Triple
    layout: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 32_768:
            raise UsageError(f"{self.origin}: size {self.size} is none: 1 to 32,768 pixels are possible")
        if self.geometry.edge and self.geometry.edge < self.size:
            raise UsageError(
                f"{self.origin}: pictures are resized to {self.geometry.edge} pixels, of which {self.size} "
                "cannot be cut out; padding is not known here"
            )
        if self.geometry.edge > MOST_EDGE:
            raise UsageError(
                f"{self.origin}: {self.geometry.edge} pixels are too many: {MOST_EDGE:,} are possible"
            )
        numbers = (self.scale, *self.mean, *self.std)
        if not all(math.isfinite(number) for number in numbers) or not all((self.scale, *self.std)):
            raise UsageError(f"{self.origin}: scale and std must be finite and not 0, mean must be finite")

    def geometry_at(self, size: int) -> Geometry:
        """Returns the geometry for squares of another size: the same share of a picture is shown."""
        whole = self.geometry
        edge = whole.edge if size == self.size else math.floor(whole.edge * size / self.size)
        squashed = not edge or (edge == size and not whole.keeps_ratio)
        return Geometry() if squashed else Geometry(edge, whole.keeps_ratio, whole.even)

    def normalisation(self, layout: str) -> Normalisation:
        """Returns what is done inside a network whose axes are in an order."""
        return Normalisation(self.channels, layout, self.scale, self.mean, self.std)

    def __str__(self) -> str:
        """Says in words what is done."""
        shown = {0: f"squashed to {self.size}"}.get(
            self.geometry.edge, f"{self.geometry}, centre crop {self.size}".replace("-even", "")
        )
        return (
            f"{shown}, {self.filter}, {self.channels} x {self.scale:.6g}, mean {_short(self.mean)}, "
            f"std {_short(self.std)}"
        )


def triple(values: Sequence[object]) -> Triple:
    """Makes one number a channel of three.

    Raises:
        ValueError: They are not three numbers.
    """
    numbers = [_number(value) for value in values]
    if len(numbers) != 3:
        raise ValueError(f"{len(numbers)} numbers stand where one for each of three channels belongs")
    return numbers[0], numbers[1], numbers[2]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _text(values: Triple) -> str:
    return ",".join(map(repr, values))


def _short(values: Triple) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
