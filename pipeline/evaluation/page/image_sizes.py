"""How large the images are, as far as a sample of them tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.page.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, ticks
from pipeline.images.decode import as_decode_error
from pipeline.images.formats.encoded import open_encoded, orientation

MOST_READ = 400
LYING = (5, 6, 7, 8)
"""Orientations as in EXIF of which width and height change places."""
LARGEST_DOT, SMALLEST_DOT = 9.0, 2.2


@dataclass(frozen=True)
class SizeDot:
    """Images of one size: its place, its radius, and what is said of it."""

    x: float
    y: float
    radius: float
    width: int
    height: int
    count: int


@dataclass(frozen=True)
class ImageSizes:
    """Sizes of some images.

    Attributes:
        read: Images that were looked at.
        of: Images that there are.
        widths: Smallest, median and largest width in pixels.
        heights: Likewise for the height.
        smaller: Images with a side below that of the square that the base sees.
        dots: Every size that occurs, the most frequent first.
        x_ticks: (position, text) of widths.
        y_ticks: (position, text) of heights.
    """

    read: int
    of: int
    widths: tuple[int, int, int]
    heights: tuple[int, int, int]
    smaller: int
    dots: tuple[SizeDot, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def sample_of_ids(ids: Sequence[str], *, most: int = MOST_READ, seed: int = 0) -> list[str]:
    """Draws the images whose sizes are looked at: all, or so many at random."""
    if len(ids) <= most:
        return list(ids)
    drawn = np.sort(np.random.default_rng(seed).choice(len(ids), most, replace=False))
    return [ids[i] for i in drawn.tolist()]


def pixel_size(data: bytes | np.ndarray) -> tuple[int, int]:
    """Returns width and height of an image, as it is seen, from its header alone.

    Raises:
        DecodeError: The header cannot be read.
    """
    if isinstance(data, np.ndarray):
        return int(data.shape[1]), int(data.shape[0])
    with as_decode_error(data):
        image = open_encoded(data)
        exif = image.info.get("exif")
        across, down = image.size
        return (down, across) if exif and orientation(exif) in LYING else (across, down)


def image_sizes(sizes: Mapping[str, tuple[int, int]], *, of: int, seen: int) -> ImageSizes | None:
    """Summarises and places sizes.

    Args:
        sizes: Width and height in pixels by the name of the image.
        of: Images that there are.
        seen: Side of the square that the base sees.

    Returns:
        The sizes; None where none is known.
    """
    if not sizes:
        return None
    table = np.array(list(sizes.values()), np.int64)
    (x_marks, y_marks) = (ticks(*_range(column)) for column in table.T)

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - x_marks[0]) / (x_marks[-1] - x_marks[0]), 1)

    def y(value: float) -> float:
        share = (value - y_marks[0]) / (y_marks[-1] - y_marks[0])
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share, 1)

    counts = Counter(map(tuple, table.tolist())).most_common()
    most = counts[0][1]
    return ImageSizes(
        read=len(table),
        of=of,
        widths=_spread(table[:, 0]),
        heights=_spread(table[:, 1]),
        smaller=int((table.min(axis=1) < seen).sum()),
        dots=tuple(
            SizeDot(x(w), y(h), round(max(LARGEST_DOT * (n / most) ** 0.5, SMALLEST_DOT), 1), w, h, n)
            for (w, h), n in counts
        ),
        x_ticks=tuple((x(mark), f"{mark:,.0f}") for mark in x_marks),
        y_ticks=tuple((y(mark), f"{mark:,.0f}") for mark in y_marks),
    )


def _range(column: np.ndarray) -> tuple[float, float]:
    """Returns the ends of an axis: at least as wide as a fifth of its middle, or one size fills the chart."""
    low, high = float(column.min()), float(column.max())
    room = max((high + low) / 10 - (high - low), 0) / 2 + 0.5
    return max(low - room, 0), high + room


def _spread(column: np.ndarray) -> tuple[int, int, int]:
    return int(column.min()), int(np.median(column)), int(column.max())
