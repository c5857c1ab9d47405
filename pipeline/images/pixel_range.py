"""One pixel range for a whole set: which values are black and white where pixels are deeper than 8 bits.

An X-ray of 12 bits fills a sixteenth of its 16-bit file, and a float says nothing of its white. Scaled by its
file, a picture may keep 14 grey levels; scaled by itself, it loses its brightness beside the others. So the
range is found from all pictures of a set, is the same for every one of them, and is part of what determines
the features (``FeatureSpec.pixel_range``).
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from pipeline.errors import UsageError
from pipeline.wording import counted

UNSIGNED, SIGNED, FLOAT = "unsigned", "signed", "float"

_LEVELS = 256
_FEW_LEVELS = 32
"""Grey levels of 256 below which a note says how to keep more."""
_BLOCK = 2**20  # samples scaled at a time: the float64 in between takes 8 MB


@dataclass(frozen=True)
class PixelRange:
    """The sample values that become 0 and 255; those beyond are clipped.

    Attributes:
        low: Black.
        high: White, above ``low``.
    """

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``LOW..HIGH``.

        Raises:
            UsageError: It is no range.
        """
        low, separator, high = text.partition("..")
        try:
            found = cls(float(low), float(high))
        except ValueError:
            separator = ""
        if not separator or not 0 < found.high / 2 - found.low / 2 < math.inf:
            raise UsageError(
                f"--pixel-range {text!r} is no range: give LOW..HIGH, two numbers, the lower one first, "
                "e.g. 0..4095 or -1024..3071"
            )
        return found

    @classmethod
    def of(cls, stated: str) -> Self | None:
        """Reads what a spec or a request says; None where it says nothing."""
        return cls.parse(stated) if stated else None

    def __str__(self) -> str:
        return f"{number(self.low)}..{number(self.high)}"

    def scale(self, samples: np.ndarray, *, mirrored_at: float | None = None) -> np.ndarray:
        """Makes samples of any number type uint8 of the same shape.

        Args:
            samples: (height, width[, channels]).
            mirrored_at: What a sample is taken from first where 0 is white; None = 0 is black.

        Raises:
            ValueError: A sample is not a finite number.
        """
        if samples.dtype == np.uint16 and samples.size > 2**16:
            every = self.scale(np.arange(2**16, dtype=np.uint16)[None], mirrored_at=mirrored_at)[0]
            return every[samples]
        result = np.empty(samples.shape, np.uint8)
        for rows in _blocks(samples):
            # Halved, so that no difference of two finite numbers overflows.
            values = samples[rows].astype(np.float64) / 2
            if not np.isfinite(values).all():
                raise ValueError("some pixels are not finite numbers")
            if mirrored_at is not None:
                values = mirrored_at / 2 - values
            np.clip(values, self.low / 2, self.high / 2, out=values)
            values -= self.low / 2
            values /= _span(self.low, self.high)
            values *= 255
            result[rows] = np.rint(values, out=values)
        return result

    def mirror(self, extremes: Extremes) -> float:
        """Returns what samples are taken from where 0 is white.

        That is white as the depth of the file states it. Where all pixels of a set fill but a part of their
        files, the range may lie at either end of the depth: it is seen where this picture has its pixels.
        Signed numbers and floats state no white, and are mirrored within the range.
        """
        stated = 2.0**extremes.bits - 1
        if extremes.kind == UNSIGNED:
            middle = extremes.usual_low / 2 + extremes.usual_high / 2
            if self.high > stated / 2 or middle > stated / 2:
                return stated
        return self.low + self.high


class Extremes(NamedTuple):
    """What is known of the samples of one deep picture.

    Attributes:
        kind: ``UNSIGNED``, ``SIGNED`` or ``FLOAT``.
        bits: Bits a sample, as the file states them.
        low: Lowest sample.
        high: Highest sample.
        usual_low: What all but about 1 % of the samples are not below.
        usual_high: What all but about 1 % of the samples are not above.
        whole: 1 where every sample is a whole number, else 0.
        white_is_zero: 1 where 0 is white, else 0.
    """

    kind: str
    bits: int
    low: float
    high: float
    usual_low: float
    usual_high: float
    whole: int
    white_is_zero: int

    @property
    def mirrored(self) -> Self:
        """The extremes of the picture in which 0 is black, at the depth that the file states."""
        white = 2.0**self.bits - 1
        low, high, usual_low, usual_high = (
            white - value for value in (self.high, self.low, self.usual_high, self.usual_low)
        )
        return self._replace(low=low, high=high, usual_low=usual_low, usual_high=usual_high)

    @classmethod
    def of(cls, samples: np.ndarray, bits: int, *, white_is_zero: bool = False) -> Self:
        """Looks at all samples of a picture.

        Raises:
            ValueError: A sample is not a finite number.
        """
        kind = {"u": UNSIGNED, "i": SIGNED}.get(samples.dtype.kind, FLOAT)
        low, high = float(samples.min()), float(samples.max())
        if not (math.isfinite(low) and math.isfinite(high)):  # NaN is handed on by both
            raise ValueError("some pixels are not finite numbers")
        whole = kind != FLOAT or all(
            np.array_equal(np.rint(samples[rows]), samples[rows]) for rows in _blocks(samples)
        )
        some = samples.reshape(-1)[:: 1 + samples.size // 2**16]
        cut = min(math.ceil(len(some) / 100), (len(some) - 1) // 2)
        usual = np.partition(some, (cut, len(some) - 1 - cut))
        usual_low, usual_high = float(usual[cut]), float(usual[-1 - cut])
        return cls(kind, bits, low, high, usual_low, usual_high, int(whole), int(white_is_zero))


class PixelCensus:
    """Takes up the extremes of the deep pictures of a set; 40 bytes a picture.

    Attributes:
        kinds: How many pictures there are of each kind and number of bits.
    """

    def __init__(self) -> None:
        self.kinds: Counter[tuple[str, int]] = Counter()
        self._plain, self._mirrored, self._as_stored = (array("d") for _ in range(3))
        self._whole, self._within = True, True
        self._float_low, self._float_high = math.inf, -math.inf

    def __len__(self) -> int:
        return self.kinds.total()

    def add(self, one: Extremes | None) -> None:
        """Takes up a picture; None = one of 8 bits."""
        if one is None:
            return
        self.kinds[one.kind, one.bits] += 1
        self._whole = self._whole and bool(one.whole)
        if one.kind == FLOAT:
            self._float_low = min(self._float_low, one.low)
            self._float_high = max(self._float_high, one.high)
        if one.white_is_zero and one.kind == UNSIGNED:
            self._as_stored.extend(_columns(one))
            self._mirrored.extend(_columns(one.mirrored))
            self._within = self._within and one.high < 2.0 ** (one.bits - 1)
        else:
            self._plain.extend(_columns(one))

    @property
    def low(self) -> float:
        """Lowest sample of the set, 0 being black."""
        return float(self._table[:, 0].min())

    @property
    def high(self) -> float:
        """Highest sample of the set, 0 being black."""
        return float(self._table[:, 1].max())

    @property
    def _table(self) -> np.ndarray:
        """Low, high, usual low and usual high of each picture, float64 (n, 4).

        Pictures in which 0 is white are mirrored at the depth of their file. Where not one of them reaches
        the upper half of it, their samples have fewer bits than their file, and white is that of those bits.
        """
        rows = self._as_stored if self._within else self._mirrored
        return np.concatenate([np.frombuffer(part).reshape(-1, 4) for part in (self._plain, rows)])

    @property
    def described(self) -> str:
        """Kinds of pictures in words: ``16-bit samples``, ``32-bit float samples``."""
        words = {UNSIGNED: "", SIGNED: " signed", FLOAT: " float"}
        return " and ".join(f"{bits}-bit{words[kind]} samples" for kind, bits in sorted(self.kinds))

    def outside(self, found: PixelRange) -> int:
        """Counts the pictures with a sample that a range clips."""
        lows, highs = self._table[:, 0], self._table[:, 1]
        return int(((lows < found.low) | (highs > found.high)).sum())

    def find(self) -> tuple[PixelRange, str]:
        """Finds the range of the set, and what is to be said of it.

        Floats within 0..1 are read as that. Whole numbers from 0 on are read by the fewest bits, 8 or more,
        that hold the largest: a range that stays when pictures are added. Anything else, as the Hounsfield
        units of tomography, is read from the lowest to the highest sample. Where a few floats are so far out
        that all others would share a grey level, they are clipped.

        Returns:
            The range, and a remark on it or an empty text.

        Raises:
            UsageError: The set has both floats within 0..1 and deep whole numbers.
        """
        table, remark = self._table, ""
        low, high = float(table[:, 0].min()), float(table[:, 1].max())
        usual_low, usual_high = float(table[:, 2].min()), float(table[:, 3].max())
        floats = sum(count for (kind, _), count in self.kinds.items() if kind == FLOAT)
        unit = floats > 0 and self._float_low >= 0 and self._float_high <= 1
        if unit and floats < len(self):
            raise UsageError(
                f"{counted(floats, 'picture')} of floats within 0..1 and {len(self) - floats:,} of other "
                "numbers deeper than 8 bits: no range fits both. Save them alike, or give "
                "--pixel-range LOW..HIGH"
            )
        if unit:
            low, high = 0.0, 1.0
        elif floats and _span(low, high) > _LEVELS * _span(usual_low, usual_high) > 0:
            remark = (
                f"a few pixels, from {number(low)} to {number(high)}, are so far out that all others would "
                f"share a grey level: clipped (--pixel-range {number(low)}..{number(high)} takes them in)"
            )
            low, high = usual_low, usual_high
        if not unit and self._whole and low >= 0 and high < 2**64:
            low, high = 0.0, float(2 ** max(8, int(high).bit_length()) - 1)
        found = PixelRange(low, high if _span(low, high) > 0 else low + max(1.0, abs(low) / 2**20))
        return found, remark or _few_levels(found, usual_low, usual_high)


def own_range(extremes: Extremes) -> PixelRange:
    """Returns the range of a picture that has no set."""
    census = PixelCensus()
    census.add(extremes)
    return census.find()[0]


def stated_range(extremes: Extremes) -> PixelRange:
    """Returns the range that a file states by its depth, up to 16 bits; else that of its samples."""
    if extremes.kind == UNSIGNED and extremes.bits <= 16:
        return PixelRange(0.0, float(2**extremes.bits - 1))
    return own_range(extremes)


def number(value: float) -> str:
    """Writes a number with as many digits as it takes to read it back."""
    return repr(float(value)).removesuffix(".0")


def _few_levels(found: PixelRange, low: float, high: float) -> str:
    """Says how to keep more grey levels where nearly all pixels, from low to high, have few."""
    levels = _LEVELS * _span(low, high) / _span(found.low, found.high)
    if levels >= _FEW_LEVELS or levels == 0 or found == PixelRange(0, _LEVELS - 1):
        return ""
    usual = f"{number(low)}..{number(high)}"
    return (
        f"nearly all pixels lie within {usual}, {max(1, round(levels))} of {_LEVELS} grey levels: "
        f"--pixel-range {usual} keeps more of them, and clips what lies beyond"
    )


def _columns(one: Extremes) -> tuple[float, ...]:
    return one.low, one.high, one.usual_low, one.usual_high


def _span(low: float, high: float) -> float:
    """Half the distance, which never overflows."""
    return high / 2 - low / 2


def _blocks(samples: np.ndarray) -> list[slice]:
    """Cuts a picture into stretches of rows."""
    rows = max(1, _BLOCK // max(1, samples[0].size))
    return [slice(start, start + rows) for start in range(0, len(samples), rows)]
