"""What a TIFF says of its first picture: depth, colours, and where the samples are (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

import numpy as np

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
GREY_INVERTED, GREY, RGB, PALETTE, INKS, LAB, ICC_LAB = 0, 1, 2, 3, 5, 8, 9
COLOURS = {GREY_INVERTED: 1, GREY: 1, RGB: 3, PALETTE: 1, INKS: 4, LAB: 3, ICC_LAB: 3}
"""Samples of a pixel that are its colour, by PhotometricInterpretation."""

_KINDS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 13: "u4", 16: "u8", 17: "i8", 18: "u8"}
_DEFAULTS = dict.fromkeys((258, 259, 266, 274, 277, 284, 317), 1) | {262: 0, 278: 2**32 - 1}
_FORMATS = {4: UNSIGNED}  # 4 = undefined
_MOST_TAGS, _MOST_SAMPLES = 4096, 64


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """The tags that say how samples become pixels.

    Attributes:
        order: ``<`` or ``>``.
        big: Whether it is a BigTIFF.
        width: In pixels.
        height: In pixels.
        samples: Samples a pixel.
        bits: Bits of each sample of a pixel.
        format: ``UNSIGNED``, ``SIGNED``, ``FLOAT``, or another number of SampleFormat.
        photometric: What the colour samples mean, see ``COLOURS``.
        extra: Kinds of the other samples: 0 = unspecified, 1 = premultiplied alpha, 2 = alpha.
        compression: How blocks are compressed; 1 = not.
        predictor: 1 = none, 2 = differences, 3 = differences of the bytes of floats.
        fill_order: 2 = the bits of each byte are reversed.
        planar: Whether each sample has blocks of its own.
        tiled: Whether blocks are tiles, else strips.
        block_width: Of a tile or strip, in pixels.
        block_height: Of a tile or strip, in pixels.
        offsets: int64 (n,), where each block begins.
        counts: int64 (n,), bytes of each block; empty where the file does not say.
        colour_map: int64 (3 * 2**bits,), red, green and blue of a palette.
        orientation: 1 to 8.
    """

    order: str
    big: bool
    width: int
    height: int
    samples: int
    bits: tuple[int, ...]
    format: int
    photometric: int
    extra: tuple[int, ...]
    compression: int
    predictor: int
    fill_order: int
    planar: bool
    tiled: bool
    block_width: int
    block_height: int
    offsets: np.ndarray
    counts: np.ndarray
    colour_map: np.ndarray
    orientation: int

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Reads the first directory of a file.

        Raises:
            ValueError: It is damaged.
        """
        order, tags = _directory(data)

        def numbers(tag: int) -> tuple[int, ...]:
            if tag in tags:
                return tuple(_values(data, order, tags[tag], _MOST_SAMPLES).tolist())
            return (_DEFAULTS[tag],) if tag in _DEFAULTS else ()

        def number(tag: int) -> int:
            found = numbers(tag)
            if not found:
                raise ValueError(f"tag {tag} is missing")
            return found[0]

        def column(tag: int) -> np.ndarray:
            return _values(data, order, tags[tag]) if tag in tags else np.empty(0, np.int64)

        samples = number(277)
        bits = numbers(258)[:samples]
        formats = {_FORMATS.get(value, value) for value in numbers(339)[:samples]} or {UNSIGNED}
        if len(bits) == 1:
            bits *= min(samples, _MOST_SAMPLES)
        tiled = 324 in tags
        width, height = number(256), number(257)
        block = (number(322), number(323)) if tiled else (width, min(number(278), height) or height)
        if min(width, height, *block) < 1:
            raise ValueError("it has no pixels")
        return cls(
            order=order,
            big=43 in data[2:4],
            width=width,
            height=height,
            samples=samples,
            bits=bits,
            format=formats.pop() if len(formats) == 1 else 0,
            photometric=number(262),
            extra=numbers(338),
            compression=number(259),
            predictor=number(317),
            fill_order=number(266),
            planar=number(284) == 2 and samples > 1,
            tiled=tiled,
            block_width=block[0],
            block_height=block[1],
            offsets=column(324 if tiled else 273),
            counts=column(325 if tiled else 279),
            colour_map=column(320),
            orientation=number(274),
        )


def _directory(data: bytes) -> tuple[str, dict[int, tuple[str, int, int]]]:
    """Returns the byte order, and where the values of each tag stand: their dtype, offset and number."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("it is no TIFF")
    try:
        (version,) = struct.unpack_from(f"{order}H", data, 2)
        big = version == 43
        (start,) = struct.unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
        entries, size, wide = (start + 8, 20, "Q") if big else (start + 2, 12, "L")
        if count > _MOST_TAGS:
            raise ValueError(f"{count:,} tags in one directory")
        tags: dict[int, tuple[str, int, int]] = {}
        for entry in range(entries, entries + count * size, size):
            tag, kind, length = struct.unpack_from(f"{order}HH{wide}", data, entry)
            if kind in _KINDS:
                dtype = np.dtype(order + _KINDS[kind])
                inside = entry + (12 if big else 8)
                fits = length * dtype.itemsize <= (8 if big else 4)
                at = inside if fits else struct.unpack_from(order + wide, data, inside)[0]
                tags.setdefault(tag, (_KINDS[kind], at, length))
    except struct.error as error:
        raise ValueError("its directory is cut off") from error
    return order, tags


def _values(data: bytes, order: str, place: tuple[str, int, int], most: int | None = None) -> np.ndarray:
    """Returns the values of a tag, or the first of them, int64 (n,)."""
    kind, at, length = place
    length = length if most is None else min(length, most)
    dtype = np.dtype(order + kind)
    if at + length * dtype.itemsize > len(data):
        raise ValueError("the values of a tag are cut off")
    return np.frombuffer(data, dtype, length, at).astype(np.int64)
