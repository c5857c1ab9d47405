"""PNG, PPM and arrays of more than 8 bits: every bit of them counts."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pipeline.images.decode import DecodeError, decode, decode_for_itself, decode_with_remark
from pipeline.images.formats.deep import deep_samples, extremes_of
from pipeline.images.pixel_range import PixelRange

SIDE = 16
KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
TWELVE = PixelRange(0, 4095)
RAMP = np.arange(256, dtype=np.uint16).reshape(SIDE, SIDE)


def png(pixels: np.ndarray, *, interlaced: bool = False, chunks: bytes = b"") -> bytes:
    """Writes uint16 (height, width, samples) with the filter "up", which Pillow does not for colours."""
    height, width, samples = pixels.shape
    passes = (
        [pixels[top::down, left::across] for top, left, down, across in ADAM7] if interlaced else [pixels]
    )
    lines = b""
    for part in passes:
        rows = np.ascontiguousarray(part.astype(">u2")).view(np.uint8).reshape(len(part), -1)
        above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
        lines += b"".join(b"\2" + line.tobytes() for line in rows - above)
    header = struct.pack(">LLBBBBB", width, height, 16, KINDS[samples], 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind: bytes, content: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_a_deep_png_keeps_all_bits(samples: int, interlaced: bool) -> None:
    pixels = np.random.default_rng(samples).integers(0, 65536, (37, 41, samples), np.uint16)
    found = deep_samples(png(pixels, interlaced=interlaced))
    colours = pixels[..., : samples - 1 + samples % 2]
    np.testing.assert_array_equal(found.colours.reshape(colours.shape), colours)
    if samples % 2 == 0:
        np.testing.assert_array_equal(found.alpha, pixels[..., -1])


@pytest.mark.parametrize("samples", [1, 3])
def test_twelve_bits_in_sixteen_are_read_by_their_range(samples: int) -> None:
    pixels = np.repeat((RAMP * 16)[..., None], samples, axis=2)
    found = decode(png(pixels), SIDE, TWELVE)
    assert np.abs(found.astype(int) - RAMP[..., None]).max() <= 1
    assert len(np.unique(found)) >= 255
    assert decode(png(pixels), SIDE).max() == 16  # as the depth of the file states it, where there is no set


@pytest.mark.parametrize("samples", [2, 4])
def test_alpha_has_the_depth_of_the_file_not_that_of_the_range(samples: int) -> None:
    pixels = np.zeros((SIDE, SIDE, samples), np.uint16)
    pixels[:8, :, -1] = 65535
    found = decode(png(pixels), SIDE, TWELVE)
    assert (found[:8] == 0).all()
    assert (found[8:] == 255).all()


@pytest.mark.parametrize("samples", [1, 3])
def test_the_transparent_colour_is_laid_on_white(samples: int) -> None:
    pixels = np.zeros((SIDE, SIDE, samples), np.uint16)
    pixels[8:] = 770  # 0x0302: neither byte alone tells it from 0x0300
    pixels[12:] = 768
    clear = chunk(b"tRNS", struct.pack(f">{samples}H", *[770] * samples))
    found = decode(png(pixels, chunks=clear), SIDE, TWELVE)
    assert (found[8:12] == 255).all()
    assert (found[12:] == 48).all()
    assert (found[:8] == 0).all()


def test_exif_orientation_is_applied(encode: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(RAMP * 257), exif=exif)
    np.testing.assert_array_equal(decode(data, SIDE)[..., 0], np.rot90(RAMP, -1))


@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
@pytest.mark.parametrize("white", [256, 1000, 4095, 65535])
def test_a_deep_pgm_or_ppm_keeps_all_bits(kind: str, white: int) -> None:
    shape = (SIDE, SIDE) if kind in ("P2", "P5") else (SIDE, SIDE, 3)
    pixels = np.random.default_rng(white).integers(0, white + 1, shape).astype(np.uint16)
    samples = deep_samples(ppm(pixels, kind, white))
    np.testing.assert_array_equal(samples.colours, pixels)
    assert samples.bits == white.bit_length()


def ppm(pixels: np.ndarray, kind: str, white: int) -> bytes:
    """Writes a PGM or PPM with comments where they may stand."""
    height, width = pixels.shape[:2]
    header = f"{kind} # a comment\n{width}\t{height}\n# another\n{white}\n".encode()
    if kind in ("P5", "P6"):
        return header + pixels.astype(">u2").tobytes()
    lines = [" ".join(map(str, line)) for line in pixels.reshape(height, -1).tolist()]
    return header + " # and another\n".join(lines).encode()


@pytest.mark.parametrize("kind", ["P2", "P5", "P6"])
def test_damaged_ppm_is_refused(kind: str) -> None:
    pixels = np.full((SIDE, SIDE) if kind != "P6" else (SIDE, SIDE, 3), 4000, np.uint16)
    data = ppm(pixels, kind, 4095)
    for lost in (1, 9, len(data) // 2) if kind != "P2" else (9, len(data) // 2):
        with pytest.raises(DecodeError, match="truncated"):
            decode(data[:-lost], 8)
    with pytest.raises(DecodeError, match="a sample is above 3999"):
        decode(ppm(pixels, kind, 3999), 8)


@pytest.mark.parametrize("word", ["-1", "1e3", "99999", "123456", "x", "1_0"])
def test_words_that_are_no_samples_are_refused(word: str) -> None:
    text = f"P2 2 2 4095 1 2 3 {word}   "
    with pytest.raises(DecodeError, match=r"no sample|above|truncated"):
        decode(text.encode(), 8)


ARRAYS = {
    "uint16 bytes": (RAMP, PixelRange(0, 255)),
    "uint16": (RAMP * 257, PixelRange(0, 65535)),
    "int64": (RAMP.astype(np.int64) - 128, PixelRange(-128, 127)),
    "float16": (RAMP.astype(np.float16), PixelRange(0, 255)),
    "float64": (RAMP / 255, PixelRange(0, 1)),
    "big endian": ((RAMP * 16).astype(">u2"), PixelRange(0, 4080)),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_arrays_become_the_very_pixels_of_their_bytes(name: str, layers: int) -> None:
    pixels, found = ARRAYS[name]
    plain = RAMP.astype(np.uint8)
    if layers:
        pixels, plain = (np.repeat(one[..., None], layers, axis=2) for one in (pixels, plain))
    for size in (SIDE, 7, 40):  # resized alike, too
        np.testing.assert_array_equal(decode(pixels, size, found), decode(plain, size))


@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_of_a_pfm_count(order: str) -> None:
    pixels = (RAMP * 16).astype(f"{order}f4")
    data = f"Pf\n{SIDE} {SIDE}\n{-1.0 if order == '<' else 1.0}\n".encode() + pixels[::-1].tobytes()
    assert extremes_of(data) == extremes_of(pixels.astype(np.float32))
    np.testing.assert_array_equal(decode(data, SIDE, PixelRange(0, 4080))[..., 0], RAMP)


def test_a_jpeg_of_twelve_bits_is_not_called_damaged(encode: Callable[..., bytes]) -> None:
    data = encode(RAMP.astype(np.uint8), "JPEG")
    at = data.index(b"\xff\xc0") + 4
    with pytest.raises(
        DecodeError, match=r"^a JPEG file of this kind is not read: cannot handle 12-bit layers"
    ):
        decode(data[:at] + b"\x0c" + data[at + 1 :], SIDE)


def test_the_alpha_of_an_array_has_the_range_of_its_colours() -> None:
    pixels = np.zeros((SIDE, SIDE, 4), np.uint16)
    pixels[:8, :, 3] = 255
    found = decode(pixels, SIDE, PixelRange(0, 255))
    assert (found[:8] == 0).all()
    assert (found[8:] == 255).all()


def test_pictures_of_eight_bits_do_not_mind_the_range(encode: Callable[..., bytes]) -> None:
    plain = RAMP.astype(np.uint8)
    for data in (encode(plain), encode(plain, "TIFF"), encode(plain, "JPEG"), plain):
        assert extremes_of(data) is None
        picture, remark = decode_with_remark(data, SIDE, TWELVE)
        np.testing.assert_array_equal(picture, decode(data, SIDE))
        assert remark == ""


def test_what_the_range_costs_a_picture_is_said() -> None:
    assert decode_with_remark(RAMP * 16, SIDE, TWELVE)[1] == ""
    assert (
        "0..4080, go beyond those of the data set, 0..1023: they are clipped"
        in (decode_with_remark(RAMP * 16, SIDE, PixelRange(0, 1023))[1])
    )
    assert "of 16 bits are read by their own depth, 0..65535" in decode_with_remark(RAMP, SIDE, None)[
        1
    ].replace("its own", "their own")


def test_what_a_picture_shows_does_not_depend_on_its_depth(encode: Callable[..., bytes]) -> None:
    for pixels in (RAMP * 257, RAMP.astype(np.float32), RAMP / 255):
        np.testing.assert_array_equal(decode_for_itself(pixels, SIDE)[..., 0], RAMP)
    assert np.ptp(decode_for_itself(encode(Image.fromarray(RAMP * 16)), SIDE)) >= 254


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_sample_that_is_no_number_is_refused(dtype: type, odd: float) -> None:
    pixels = np.ones((9, 9), dtype)
    pixels[4, 4] = odd
    for found in (None, PixelRange(0, 1)):
        with pytest.raises(DecodeError, match="not finite"):
            decode(pixels, 4, found)
