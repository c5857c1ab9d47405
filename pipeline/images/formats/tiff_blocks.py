"""The samples of a TIFF, whatever their depth: libtiff unpacks the bytes, NumPy makes numbers of them.

Pillow hands its libtiff whole pictures of the few kinds that it has a mode for. Bytes it can always have: a
block is shown to it as a grey picture of 8 bits, as wide as a row of the block has bytes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from pipeline.images.formats.tiff_layout import FLOAT, SIGNED, Layout

UNPACKED = (1, 5, 8, 32773, 32946, 34925, 50000)
"""None, LZW, Deflate, PackBits, Deflate, LZMA, ZSTD: they are of bytes, and know nothing of pixels."""
MAX_BYTES = 600_000_000
"""Most bytes of samples: 100 million pixels of 3 x 16 bits."""
MAX_BLOCKS = 2_000_000
_TOGETHER = 2**24  # bytes that libtiff unpacks at a time, or one block
_AT_A_TIME = 2**20  # samples of odd depth, which take a byte a bit on the way
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]


def read_samples(data: bytes, layout: Layout) -> np.ndarray:
    """Returns (height, width, samples a pixel) in the file's own number type.

    All samples must have one depth; see ``readable`` in ``_tiff.py`` for what else must hold.

    Raises:
        ValueError: The file is damaged, or too large.
    """
    samples, bits = len(layout.bits), layout.bits[0]
    inside = 1 if layout.planar else samples
    across, down = -(-layout.width // layout.block_width), -(-layout.height // layout.block_height)
    blocks = across * down * (samples if layout.planar else 1)
    row_bytes = -(-layout.block_width * inside * bits // 8)
    if blocks > MAX_BLOCKS or blocks * layout.block_height * row_bytes > MAX_BYTES:
        raise ValueError(f"its samples take more than the limit of {MAX_BYTES:,} bytes")
    if len(layout.offsets) < blocks:
        raise ValueError(f"{blocks:,} blocks of samples are needed, {len(layout.offsets):,} are there")
    result = np.empty((layout.height, layout.width, samples), _dtype(layout))
    for number, rows in enumerate(_unpacked(data, layout, blocks, row_bytes)):
        plane, place = divmod(number, across * down)
        top, left = place // across * layout.block_height, place % across * layout.block_width
        height = min(layout.block_height, layout.height - top)
        width = min(layout.block_width, layout.width - left)
        chosen = slice(plane, plane + 1) if layout.planar else slice(None)
        found = _numbers(rows, layout, inside)[:height, :width]
        result[top : top + height, left : left + width, chosen] = found
    return result


def _dtype(layout: Layout) -> np.dtype:
    """The smallest number type of this machine that holds a sample."""
    size = next(size for size in (8, 16, 32, 64) if size >= layout.bits[0])
    return np.dtype(f"{ {SIGNED: 'i', FLOAT: 'f'}.get(layout.format, 'u') }{size // 8}")


def _unpacked(data: bytes, layout: Layout, blocks: int, row_bytes: int) -> Iterator[np.ndarray]:
    """Yields the bytes of each block, uint8 (rows, bytes a row)."""
    strips = -(-layout.height // layout.block_height)
    waiting: list[bytes] = []
    for number in range(blocks):
        last = not layout.tiled and number % strips == strips - 1
        rows = layout.height - (strips - 1) * layout.block_height if last else layout.block_height
        packed = _block(data, layout, number, rows * row_bytes)
        if layout.compression == 1:
            if len(packed) < rows * row_bytes:
                raise ValueError("the file is truncated")
            found = np.frombuffer(packed, np.uint8).reshape(rows, row_bytes)
            yield _REVERSED[found] if layout.fill_order == 2 else found
            continue
        if last or len(waiting) * rows * row_bytes > _TOGETHER:
            yield from _unpack(waiting, layout, layout.block_height, row_bytes)
            waiting.clear()
        waiting.append(packed)
        if last:
            yield from _unpack(waiting, layout, rows, row_bytes)
            waiting.clear()
    yield from _unpack(waiting, layout, layout.block_height, row_bytes)


def _block(data: bytes, layout: Layout, number: int, size: int) -> bytes:
    """Returns the bytes of a block as in the file; where they are not compressed, no more than size."""
    offset = int(layout.offsets[number])
    if not 0 <= offset <= len(data):
        return b""
    count = int(layout.counts[number]) if number < len(layout.counts) else 0
    if layout.compression == 1:
        count = size
    return data[offset : offset + count] if count > 0 else data[offset:]


def _unpack(packed: Sequence[bytes], layout: Layout, rows: int, row_bytes: int) -> Iterator[np.ndarray]:
    """Lets libtiff unpack blocks of equal size, uint8 (rows, row_bytes) each; to begin is what takes long."""
    if not packed:
        return
    offsets = 8 + np.cumsum([0, *map(len, packed)])
    counts = list(map(len, packed))
    end = int(offsets[-1]) + int(offsets[-1]) % 2
    tags = {256: [row_bytes], 257: [rows * len(packed)], 258: [8], 259: [layout.compression], 262: [1]}
    tags |= {266: [layout.fill_order], 273: offsets[:-1].tolist(), 277: [1], 278: [rows], 279: counts}
    entries, values = b"", b""
    for tag, numbers in tags.items():
        far = len(numbers) > 1
        entries += struct.pack("<HHLL", tag, 4, len(numbers), end + len(values) if far else numbers[0])
        values += struct.pack(f"<{len(numbers)}L", *numbers) if far else b""
    header = b"II*\0" + struct.pack("<L", end + len(values))
    blocks = b"".join(packed).ljust(end - 8, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    image = TiffImageFile(io.BytesIO(header + blocks + values + directory))
    image.load()
    yield from np.asarray(image).reshape(len(packed), rows, row_bytes)


def _numbers(rows: np.ndarray, layout: Layout, samples: int) -> np.ndarray:
    """Makes samples of the bytes of a block, (rows, width, samples)."""
    bits, width = layout.bits[0], layout.block_width
    shape = (len(rows), width, samples)
    if layout.predictor == 3:
        size = bits // 8
        sums = np.cumsum(rows.reshape(len(rows), -1, samples), axis=1, dtype=np.uint8)
        planes = sums.reshape(len(rows), size, width * samples)
        mixed = np.ascontiguousarray(planes.swapaxes(1, 2))
        return mixed.view(f">f{size}").reshape(shape)
    if bits not in (8, 16, 32, 64):
        return _odd_numbers(rows, layout, width * samples).reshape(shape)
    kind = {SIGNED: "i", FLOAT: "f"}.get(layout.format, "u")
    found = np.ascontiguousarray(rows).view(f"{layout.order}{kind}{bits // 8}").reshape(shape)
    if layout.predictor == 2:
        whole = found.view(f"{layout.order}u{bits // 8}")
        return np.cumsum(whole, axis=1, dtype=f"u{bits // 8}").view(f"{kind}{bits // 8}")
    return found


def _odd_numbers(rows: np.ndarray, layout: Layout, count: int) -> np.ndarray:
    """Makes samples of 1 to 63 bits that stand one after the other, the highest bit first."""
    bits, dtype = layout.bits[0], _dtype(layout)
    result = np.empty((len(rows), count), dtype)
    across = min(count, _AT_A_TIME)  # eight samples end with a byte
    down = max(1, _AT_A_TIME // across)
    for top in range(0, len(rows), down):
        for left in range(0, count, across):
            width = min(across, count - left)
            part = rows[top : top + down, left * bits // 8 : -(-(left + width) * bits // 8)]
            if bits == 24 and layout.order == "<":  # whole bytes come in the order of the file
                part = np.ascontiguousarray(part.reshape(-1, 3)[:, ::-1]).reshape(part.shape)
            singles = np.unpackbits(part, axis=1)[:, : width * bits].reshape(len(part), width, bits)
            above = np.zeros((len(part), width, 8 * dtype.itemsize - bits), np.uint8)
            if layout.format == SIGNED:  # the highest bit fills those above it
                above |= singles[..., :1]
            whole = np.packbits(np.concatenate([above, singles], axis=2), axis=2)
            result[top : top + down, left : left + width] = whole.view(dtype.newbyteorder(">"))[..., 0]
    return result
