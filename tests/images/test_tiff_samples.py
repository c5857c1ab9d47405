"""TIFF pictures of every depth, format, layout and colour space: the right value, or an honest refusal."""

from __future__ import annotations

import io

import fuzzing
import numpy as np
import pytest
import tiffs
from PIL import Image
from tiffs import tiff

from pipeline.images.decode import DecodeError, decode
from pipeline.images.formats.deep import deep_samples
from pipeline.images.formats.tiff_blocks import MAX_BYTES
from pipeline.images.formats.tiff_layout import Layout
from pipeline.images.pixel_range import PixelRange

SIDE = 16
RANGES = {"u": lambda bits: (0, 2**bits - 1), "i": lambda bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)}
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def ramp(dtype: str, bits: int | None = None) -> tuple[np.ndarray, PixelRange]:
    """Returns (SIDE, SIDE) samples from black to white, and what these are."""
    kind = np.dtype(dtype).kind
    low, high = (-1, 3) if kind == "f" else RANGES[kind](bits or 8 * np.dtype(dtype).itemsize)
    steps = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    if kind == "f":
        return (low + steps * (high - low) / 255).astype(dtype), PixelRange(low, high)
    exact = [[low + int(step) * (high - low) // 255 for step in row] for row in steps]
    return np.array(exact, dtype), PixelRange(low, high)


GREYS = np.arange(256, dtype=np.uint8).reshape(SIDE, SIDE)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [tiffs.GREY_INVERTED, tiffs.GREY])
@pytest.mark.parametrize("dtype", DTYPES)
def test_white_and_black_are_right_at_every_depth(dtype: str, photometric: int, order: str) -> None:
    pixels, whole = ramp(dtype)
    found = decode(tiff(pixels, photometric, order=order), SIDE, whole)
    wanted = GREYS if photometric == tiffs.GREY else 255 - GREYS
    assert np.abs(found[..., 0].astype(int) - wanted).max() <= (1 if dtype == "f2" else 0)
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [tiffs.GREY_INVERTED, tiffs.GREY, tiffs.RGB])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 24])
def test_samples_may_have_any_number_of_bits(bits: int, photometric: int, order: str) -> None:
    random = np.random.default_rng(bits)
    pixels = random.integers(0, 2**bits, (SIDE, SIDE, 3), np.uint32)
    pixels = pixels if photometric == tiffs.RGB else pixels[..., 0]
    whole = PixelRange(0, 2**bits - 1)
    found = decode(tiff(pixels, photometric, bits=bits, order=order), SIDE, whole if bits > 8 else None)
    wanted = np.rint(pixels / whole.high * 255)
    wanted = 255 - wanted if photometric == tiffs.GREY_INVERTED else wanted
    wanted = wanted if photometric == tiffs.RGB else np.repeat(wanted[..., None], 3, axis=2)
    assert np.abs(found - wanted).max() <= (0 if photometric else 1)


@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.LZW, tiffs.DEFLATE, tiffs.PACKBITS])
@pytest.mark.parametrize(
    "blocks",
    [{}, {"rows": 7}, {"rows": 1}, {"tile": (16, 32)}, {"tile": (32, 16)}, {"tile": (64, 64)}],
    ids=str,
)
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("dtype", "predictor"), [("u2", 1), ("u2", 2), ("i4", 2), ("f4", 1), ("f8", 3)])
def test_blocks_of_any_layout_are_put_together(
    dtype: str, predictor: int, planar: bool, blocks: dict, compression: int
) -> None:
    random = np.random.default_rng(0)
    pixels = (random.random((37, 41, 3)) * 10_000).astype(dtype)
    for order in "<>":
        layout = {"order": order, "planar": planar, "compression": compression, "predictor": predictor}
        for big in (False, True):
            samples = deep_samples(tiff(pixels, tiffs.RGB, big=big, **layout, **blocks))
            np.testing.assert_array_equal(samples.colours, pixels)


@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.DEFLATE])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_reversed_bits_are_turned(dtype: str, compression: int) -> None:
    pixels, whole = ramp(dtype)
    data = tiff(pixels, fill_order=2)
    if compression == tiffs.DEFLATE:  # where it is the compressed bytes that are reversed
        data = tiff(pixels, compression=compression)
    np.testing.assert_array_equal(decode(data, SIDE, whole)[..., 0], GREYS)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("photometric", [tiffs.GREY, tiffs.RGB])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_alpha_is_laid_on_white_and_other_samples_are_passed_over(
    extra: int, photometric: int, dtype: str, planar: bool
) -> None:
    white = 1 if dtype == "f4" else np.iinfo(dtype).max
    count = 1 if photometric == tiffs.GREY else 3
    pixels = np.zeros((SIDE, SIDE, count + 1), dtype)
    pixels[:, : SIDE // 2, -1] = white  # black and opaque on the left, black and clear on the right
    found = decode(tiff(pixels, photometric, extra=[extra], planar=planar), SIDE, PixelRange(0, white))
    assert (found[:, : SIDE // 2] == 0).all()
    assert (found[:, SIDE // 2 :] == (255 if extra else 0)).all()


def test_premultiplied_colours_are_divided_by_their_alpha() -> None:
    half = np.full((SIDE, SIDE, 4), 32768, np.uint16)
    half[..., :3] = 16384
    for extra, grey in ((1, 64 + 127), (2, 32 + 127)):
        found = decode(tiff(half, tiffs.RGB, extra=[extra]), SIDE, PixelRange(0, 65535))
        assert np.abs(found.astype(int) - grey).max() <= 1, extra


def test_two_grey_samples_without_a_word_on_the_second_are_one_grey() -> None:
    pixels, whole = ramp("u2")
    found = decode(tiff(np.dstack([pixels, pixels[::-1]])), SIDE, whole)
    np.testing.assert_array_equal(found[..., 1], GREYS)


@pytest.mark.parametrize("planar", [False, True])
def test_deep_inks_are_those_of_eight_bits(planar: bool) -> None:
    inks = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    shallow, deep = (
        decode(tiff(one, tiffs.INKS, planar=planar), SIDE) for one in (inks, inks * np.uint16(257))
    )
    wanted = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    np.testing.assert_array_equal(shallow, wanted)
    np.testing.assert_array_equal(deep, wanted)


def test_lab_is_converted_at_both_depths() -> None:
    lab = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)  # a and b signed
    by_pillow = decode(tiff(lab, tiffs.LAB), SIDE)
    icc = lab ^ np.uint8([0, 128, 128])  # with 128 for zero
    np.testing.assert_array_equal(decode(tiff(icc, tiffs.ICC_LAB), SIDE), by_pillow)
    deep = lab.astype(np.uint16) * np.uint16([257, 256, 256])
    np.testing.assert_array_equal(decode(tiff(deep, tiffs.LAB), SIDE), by_pillow)
    deep_icc = icc.astype(np.uint16) * np.uint16([257, 256, 256])
    np.testing.assert_array_equal(decode(tiff(deep_icc, tiffs.ICC_LAB), SIDE), by_pillow)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 12, 16])
def test_palettes_may_have_any_number_of_bits(bits: int) -> None:
    random = np.random.default_rng(bits)
    colours = random.integers(0, 256, (3, 2**bits), np.uint16)
    indices = random.integers(0, 2**bits, (SIDE, SIDE), np.uint16)
    depth = None if bits == 16 else bits
    data = tiff(indices, tiffs.PALETTE, bits=depth, more={320: (3, (colours * 257).reshape(-1).tolist())})
    np.testing.assert_array_equal(decode(data, SIDE), colours.T[indices])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("big", [False, True])
def test_deep_pictures_are_turned_as_those_of_eight_bits(orientation: int, big: bool) -> None:
    more = {274: (3, [orientation])}
    wanted = decode(tiff(GREYS, more=more), SIDE)
    found = decode(tiff(GREYS * np.uint16(257), more=more, big=big), SIDE, PixelRange(0, 65535))
    np.testing.assert_array_equal(found, wanted)


REFUSED = {
    "12-bit samples with JPEG compression": {"bits": 12, "compression": tiffs.JPEG},
    "16-bit samples with compression 99": {"compression": 99},
    "8-bit samples with WebP compression": {"compression": 50001, "bits": 8},
    "8-bit samples with JPEG compression": {
        "compression": tiffs.JPEG,
        "bits": 8,
        "samples": 2,
        "planar": True,
    },
    "YCbCr with 16-bit samples": {"photometric": 6, "samples": 3},
    "a sensor's colour filters with 16-bit": {"photometric": 32803},
    "5 samples a pixel, 1 of them colours": {"samples": 5},
    r"different depths \(16, 16, 8 bits\)": {"photometric": 2, "samples": 3, "more": {258: (3, [16, 16, 8])}},
    "16-bit samples in sample format 5": {"more": {339: (3, [5])}},
    "12-bit samples with predictor 2": {"bits": 12, "more": {317: (3, [2])}},
    "24-bit samples in sample format 3": {"bits": 24, "more": {339: (3, [3])}},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_read_is_named_and_not_called_damaged(reason: str) -> None:
    options = dict(REFUSED[reason])
    pixels = np.zeros((8, 8, options.pop("samples", 1)), np.uint16)
    with pytest.raises(DecodeError, match=f"^a TIFF .*{reason}.* is not read: save it as PNG") as caught:
        decode(tiff(pixels, options.pop("photometric", tiffs.GREY), **options), 8)
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("compression", [tiffs.NONE, tiffs.LZW, tiffs.DEFLATE, tiffs.PACKBITS])
@pytest.mark.parametrize("blocks", [{}, {"rows": 3}, {"tile": (16, 16)}], ids=str)
def test_truncated_files_are_refused(compression: int, blocks: dict) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 40, 3), np.uint16)
    options = {"compression": compression, **blocks}
    whole = tiff(pixels, tiffs.RGB, **options)
    for tenth in range(10):
        with pytest.raises(DecodeError, match=r"^damaged TIFF file|^the file is empty|^no image"):
            decode(whole[: len(whole) * tenth // 10], 8)
    # The directory is whole, and says that the first or the last block begins near the end, or is cut off.
    number = len(Layout.of(whole).offsets)
    for offsets in ([len(whole) - 9] * number, [8] * (number - 1) + [len(whole) - 9], [2**31] * number):
        with pytest.raises(DecodeError, match=r"^damaged TIFF file"):
            decode(tiff(pixels, tiffs.RGB, **options, more={273: (4, offsets), 324: (4, offsets)}), 8)


@pytest.mark.parametrize(
    "tags",
    [
        {273: (4, [2**31])},
        {273: (4, [0])},
        {278: (4, [0])},
        {277: (3, [0])},
        {258: (3, [0])},
        {258: (3, [65])},
        {322: (4, [2**31]), 323: (4, [2**31]), 324: (4, [8]), 325: (4, [1])},
        {256: (4, [50_000_000]), 257: (4, [2]), 278: (4, [2]), 258: (3, [64])},
        {256: (4, [9_000]), 257: (4, [9_000]), 278: (4, [1])},
        {338: (3, [9] * 60)},
    ],
    ids=str,
)
def test_odd_tags_are_refused_or_read_and_take_no_memory(tags: dict) -> None:
    assert fuzzing.check_decode(tiff(np.zeros((8, 8), np.uint16), more=tags)) in ("decoded", "refused")


def test_more_bytes_than_the_limit_are_refused_before_any_is_unpacked() -> None:
    side = int((MAX_BYTES / 8) ** 0.5) + 1
    assert side**2 < 100_000_000
    data = tiff(np.zeros((8, 8)), more={256: (4, [side]), 257: (4, [side]), 278: (4, [side])})
    with pytest.raises(DecodeError, match=r"more than the limit of 600,000,000 bytes"):
        decode(data, 8)


def test_what_pillow_reads_right_is_left_to_it() -> None:
    for image in (
        Image.new("RGB", (8, 8)),
        Image.new("L", (8, 8)),
        Image.new("1", (8, 8)),
        Image.new("P", (8, 8)),
    ):
        for compression in (None, "tiff_lzw", "jpeg" if image.mode in ("L", "RGB") else None):
            file = io.BytesIO()
            image.save(file, "TIFF", compression=compression)
            assert deep_samples(file.getvalue()) is None
