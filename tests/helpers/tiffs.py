"""TIFF files of any kind, made by the tests: Pillow writes but a few."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

NONE, LZW, JPEG, DEFLATE, PACKBITS = 1, 5, 7, 8, 32773
GREY_INVERTED, GREY, RGB, PALETTE, INKS, LAB, ICC_LAB = 0, 1, 2, 3, 5, 8, 9
FORMATS = {"u": 1, "i": 2, "f": 3}

Order = Literal["<", ">"]
"""Of the bytes: the least first, or the greatest."""


def tiff(
    pixels: np.ndarray,
    photometric: int = GREY,
    *,
    bits: int | None = None,
    order: Order = "<",
    big: bool = False,
    compression: int = NONE,
    predictor: int = 1,
    fill_order: int = 1,
    planar: bool = False,
    tile: tuple[int, int] | None = None,
    rows: int | None = None,
    extra: Sequence[int] = (),
    more: Mapping[int, tuple[int, Sequence[int]]] | None = None,
) -> bytes:
    """Writes a TIFF.

    Args:
        pixels: (height, width) or (height, width, samples).
        photometric: PhotometricInterpretation.
        bits: Bits a sample where the dtype has more of them.
        order: ``<`` or ``>``.
        big: A BigTIFF.
        compression: ``NONE``, ``LZW``, ``DEFLATE`` or ``PACKBITS``; any other number is stated, and not done.
        predictor: 1, 2 or 3.
        fill_order: 2 = the bits of bytes are reversed.
        planar: Each sample in blocks of its own.
        tile: Height and width of a tile.
        rows: Rows of a strip.
        extra: ExtraSamples.
        more: Further tags, or others: number -> (type, values).
    """
    layers = pixels.reshape(*pixels.shape[:2], -1)
    height, width, samples = layers.shape
    down, across = tile or (rows or height, width)
    blocks = []
    for part in np.split(layers, samples, axis=2) if planar else [layers]:
        for top in range(0, height, down):
            for left in range(0, width, across):
                block = part[top : top + down, left : left + across]
                if tile:
                    missing = [(0, down - block.shape[0]), (0, across - block.shape[1]), (0, 0)]
                    block = np.pad(block, missing, mode="edge")
                raw = _packed(block, bits, order, predictor)
                if fill_order == 2:
                    raw = np.packbits(
                        np.unpackbits(np.frombuffer(raw, np.uint8)[:, None], axis=1)[:, ::-1]
                    ).tobytes()
                blocks.append(_compressed(raw, compression))
    depth = bits or 8 * pixels.dtype.itemsize
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [depth] * samples),
        259: (3, [compression]),
        262: (3, [photometric]),
        266: (3, [fill_order]),
        277: (3, [samples]),
        284: (3, [2 if planar else 1]),
        317: (3, [predictor]),
        339: (3, [FORMATS[pixels.dtype.kind]] * samples),
        325 if tile else 279: (4, [len(block) for block in blocks]),
    }
    tags |= {322: (4, [across]), 323: (4, [down])} if tile else {278: (4, [down])}
    tags |= {338: (3, list(extra))} if extra else {}
    start = 16 if big else 8
    offsets = np.cumsum([start] + [len(block) for block in blocks])
    tags[324 if tile else 273] = (4, offsets[:-1].tolist())
    return _written({**tags, **(more or {})}, b"".join(blocks), order, big)


def _packed(block: np.ndarray, bits: int | None, order: Order, predictor: int) -> bytes:
    """Lays the samples of a block out as rows of bytes."""
    size = block.dtype.itemsize
    if bits is not None:
        wide = block.reshape(len(block), -1).astype(f">u{max(size, 4)}")
        singles = np.unpackbits(wide.view(np.uint8).reshape(*wide.shape, -1), axis=2)[..., -bits:]
        if bits == 24 and order == "<":
            singles = singles.reshape(*wide.shape, 3, 8)[:, :, ::-1]
        return np.packbits(singles.reshape(len(block), -1), axis=1).tobytes()
    if predictor == 2:
        whole = block.view(f"u{size}")
        block = np.diff(whole, axis=1, prepend=np.zeros_like(whole[:, :1]))
    ordered = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(order)))
    if predictor == 3:
        planes = ordered.astype(ordered.dtype.newbyteorder(">")).view(np.uint8).reshape(len(block), -1, size)
        mixed = planes.swapaxes(1, 2).reshape(len(block), -1, block.shape[2])
        return np.diff(mixed, axis=1, prepend=np.zeros_like(mixed[:, :1])).tobytes()
    return ordered.tobytes()


def _compressed(raw: bytes, compression: int) -> bytes:
    if compression == DEFLATE:
        return zlib.compress(raw)
    if compression == PACKBITS:
        return b"".join(
            bytes([len(raw[i : i + 128]) - 1]) + raw[i : i + 128] for i in range(0, len(raw), 128)
        )
    if compression == LZW:  # by libtiff, as one row of bytes
        file = io.BytesIO()
        Image.frombytes("L", (len(raw), 1), raw).save(file, "TIFF", compression="tiff_lzw")
        file.seek(0)
        with TiffImageFile(file) as written:
            (offset,), (count,) = written.tag_v2[273], written.tag_v2[279]
        return file.getvalue()[offset : offset + count]
    return raw


def _written(tags: dict[int, tuple[int, Sequence[int]]], blocks: bytes, order: str, big: bool) -> bytes:
    """Puts header, blocks, values and directory into a file."""
    kinds, wide, inline = {1: "B", 3: "H", 4: "L", 16: "Q"}, "Q" if big else "L", 8 if big else 4
    start = 16 if big else 8
    entries, values = [], b""
    place = start + len(blocks)
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{kinds[kind]}", *numbers)
        head = struct.pack(f"{order}HH{wide}", tag, kind, len(numbers))
        if len(packed) > inline:
            entries.append(head + struct.pack(order + wide, place + len(values)))
            values += packed
        else:
            entries.append(head + packed.ljust(inline, b"\0"))
    directory = struct.pack(order + ("Q" if big else "H"), len(entries)) + b"".join(entries) + bytes(inline)
    version = struct.pack(f"{order}HHH", 43, 8, 0) if big else struct.pack(f"{order}H", 42)
    header = {"<": b"II", ">": b"MM"}[order] + version + struct.pack(order + wide, place + len(values))
    return header + blocks + values + directory
