"""The one range of a set: what it is for which sets, and that adding images does not move it."""

from __future__ import annotations

import numpy as np
import pytest
import tiffs

from pipeline.errors import UsageError
from pipeline.images.decode import decode
from pipeline.images.formats.deep import deep_samples, extremes_of
from pipeline.images.pixel_range import Extremes, PixelCensus, PixelRange

RAMP = np.linspace(0, 1, 400).reshape(20, 20)


def census(*pictures: np.ndarray | bytes) -> PixelCensus:
    """Takes up arrays or files."""
    found = PixelCensus()
    for picture in pictures:
        found.add(extremes_of(picture))
    return found


def grey(high: float, dtype: str = "u2", low: float = 0) -> np.ndarray:
    """Returns a ramp from low to high, whole numbers where the dtype is of those."""
    ramp = low + RAMP * (high - low)
    return (np.rint(ramp) if np.dtype(dtype).kind != "f" else ramp).astype(dtype)


RULES = {
    "12 bits in 16": ([grey(4080)], "0..4095"),
    "13 bits": ([grey(4096)], "0..8191"),
    "all bits": ([grey(65535)], "0..65535"),
    "bytes": ([grey(255)], "0..255"),
    "fewer than bytes": ([grey(10)], "0..255"),
    "all black": ([grey(0)], "0..255"),
    "the largest counts": ([grey(4080), grey(300), grey(60000)], "0..65535"),
    "unsigned 32": ([grey(2**32 - 1, "u4")], "0..4294967295"),
    "unsigned 64": ([grey(2.0**40, "u8")], "0..2199023255551"),
    "signed, none below 0": ([grey(4080, "i2")], "0..4095"),
    "Hounsfield units": ([grey(3071, "i2", -1024), grey(100, "i2", -900)], "-1024..3071"),
    "signed bytes": ([grey(100, "i1", -50)], "-50..100"),
    "floats within 0..1": ([grey(0.9, "f4")], "0..1"),
    "floats of 0 and 1": ([np.tri(20, dtype="f4")], "0..1"),
    "floats that hold bytes": ([np.rint(grey(195, "f4"))], "0..255"),
    "floats that hold 12 bits": ([np.rint(grey(4080, "f8"))], "0..4095"),
    "floats of any size": ([grey(7.5, "f8", 0.25)], "0.25..7.5"),
    "floats about 0": ([grey(1, "f8", -1), grey(0.5, "f8", -0.25)], "-1..1"),
    "floats and whole numbers": ([np.rint(grey(4080, "f4")), grey(3000)], "0..4095"),
    "signed and unsigned": ([grey(1000, "i2", -10), grey(2000)], "-10..2000"),
    "one value, below 0": ([np.full((4, 4), -5, "i2")], "-5..-4"),
    "one value, huge": ([np.full((4, 4), -1e308)], None),
    "the largest floats": ([grey(1, "f8") * np.finfo("f8").max], None),
}


@pytest.mark.parametrize("name", RULES)
def test_the_range_of_a_set(name: str) -> None:
    pictures, wanted = RULES[name]
    found, _ = census(*pictures).find()
    assert wanted in (None, str(found))
    assert PixelRange.parse(str(found)) == found
    for picture in pictures:
        pixels = decode(picture, 20, found)
        assert pixels.dtype == np.uint8
        order = np.argsort(picture, axis=None, kind="stable")
        assert picture.size < 400 or (np.diff(pixels[..., 0].reshape(-1)[order].astype(int)) >= 0).all()


def test_adding_images_leaves_the_range_of_whole_numbers_alone() -> None:
    random = np.random.default_rng(0)
    pictures = [grey(high) for high in random.integers(2048, 4096, 50)]
    assert {census(*pictures[:count]).find()[0] for count in range(1, 50)} == {PixelRange(0, 4095)}


def test_eight_bits_are_no_matter_of_the_census() -> None:
    found = census(np.zeros((4, 4), np.uint8), tiffs.tiff(np.zeros((4, 4), np.uint8)))
    assert len(found) == 0


def test_floats_within_0_and_1_share_no_range_with_whole_numbers() -> None:
    with pytest.raises(UsageError, match=r"1 picture of floats within 0\.\.1 and 2 of other.*--pixel-range"):
        census(grey(1, "f4"), grey(4000), grey(300)).find()


def test_floats_far_out_are_clipped_and_named() -> None:
    hot = grey(7.5, "f4")
    hot[3, 3] = 1e30
    found, remark = census(grey(7.5, "f4"), hot).find()
    assert 7 < found.high <= 7.5
    assert "a few pixels, from 0 to 1.0000000150474662e+30, are so far out" in remark
    assert "--pixel-range 0..1.0000000150474662e+30 takes them in" in remark
    assert census(hot).outside(found) == 1
    assert np.ptp(decode(hot, 20, found)) == 255


def test_few_grey_levels_are_named_with_what_keeps_more() -> None:
    hot = grey(4000)
    hot[3, 3] = 65535  # a broken pixel: whole numbers are covered all the same
    found, remark = census(grey(4000), hot).find()
    assert str(found) == "0..65535"
    assert remark.startswith("nearly all pixels lie within ")
    assert "15 of 256 grey levels: --pixel-range " in remark
    assert census(grey(4000)).find()[1] == ""


POLARITIES = {
    # Grey levels, what is stored where white is zero, and the range.
    "all 16 bits": (257, lambda stored: 65535 - stored, "0..65535"),
    "12 bits, mirrored at 16": (16, lambda stored: 65535 - stored, "0..4095"),
    "12 bits, mirrored at 12": (16, lambda stored: 4095 - stored, "0..4095"),
    "bytes, mirrored at 16": (1, lambda stored: 65535 - stored, "0..255"),
    "bytes, mirrored at 8": (1, lambda stored: 255 - stored, "0..255"),
}


@pytest.mark.parametrize("only", [False, True], ids=["beside others", "alone"])
@pytest.mark.parametrize("name", POLARITIES)
def test_white_is_zero_at_the_depth_of_the_file_or_of_the_samples(name: str, only: bool) -> None:
    factor, mirror, wanted = POLARITIES[name]
    levels = np.random.default_rng(0).integers(60, 200, (6, 20, 20)).astype(np.uint16)
    inverted = [tiffs.tiff(mirror(one * np.uint16(factor)), tiffs.GREY_INVERTED) for one in levels]
    plain = [tiffs.tiff(one * np.uint16(factor)) for one in levels]
    found, _ = census(*inverted, *([] if only else plain)).find()
    assert str(found) == wanted
    for one, data in zip(levels, inverted, strict=True):
        assert np.abs(decode(data, 20, found)[..., 0].astype(int) - one).max() <= 1
    np.testing.assert_array_equal(decode(inverted[0], 20, found), decode(plain[0], 20, found))


def test_bright_and_dark_pictures_of_sixteen_bits_stay_apart_where_white_is_zero() -> None:
    bright, dark = (
        tiffs.tiff(np.full((4, 4), 65535 - v, np.uint16), tiffs.GREY_INVERTED) for v in (40_000, 20_000)
    )
    found, _ = census(bright, dark).find()
    assert (decode(bright, 4, found) == 156).all()
    assert (decode(dark, 4, found) == 78).all()


def test_white_is_zero_in_twelve_bits_beside_sixteen() -> None:
    packed = tiffs.tiff(np.full((8, 8), 95, np.uint16), tiffs.GREY_INVERTED, bits=12)
    found, _ = census(packed, grey(65535)).find()
    assert (decode(packed, 8, found) == round(4000 * 255 / 65535)).all()


def test_pictures_outside_a_range_are_counted() -> None:
    found = census(grey(4000), grey(900), tiffs.tiff(65535 - grey(2000), tiffs.GREY_INVERTED))
    assert [found.outside(PixelRange(0, high)) for high in (899, 900, 1999, 2000, 4000)] == [3, 2, 2, 1, 0]
    assert found.outside(PixelRange(1, 4000)) == 3


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0..4095", "0..4095"), ("-1024..3071.0", "-1024..3071"), ("0.5..1e3", "0.5..1000"), ("-1..1", "-1..1")],
)
def test_a_stated_range_is_read(text: str, wanted: str) -> None:
    assert str(PixelRange.parse(text)) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "..", "5", "0..", "..5", "5..5", "6..5", "a..b", "nan..1", "0..inf", "none", "0-4095", "-inf..1"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no range: give LOW\.\.HIGH"):
        PixelRange.parse(text)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f8"])
def test_large_pictures_are_scaled_in_stretches_to_the_same(dtype: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (1200, 1000)).astype(dtype)
    wanted = np.rint(pixels * (255 / 4095)).astype(np.uint8)
    np.testing.assert_array_equal(PixelRange(0, 4095).scale(pixels), wanted)
    np.testing.assert_array_equal(PixelRange(0, 4095).scale(pixels, mirrored_at=4095.0), 255 - wanted)


def test_the_extremes_of_a_file_are_those_of_its_samples() -> None:
    pixels = grey(4080)
    data = tiffs.tiff(pixels, compression=tiffs.DEFLATE)
    assert deep_samples(data).extremes() == Extremes.of(pixels, 16)
    assert Extremes.of(pixels, 16)[:4] == ("unsigned", 16, 0.0, 4080.0)


@pytest.mark.parametrize(
    ("count", "usual"), [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (100, (1, 98)), (1000, (10, 989))]
)
def test_as_many_samples_are_unusual_at_either_end(count: int, usual: tuple[int, int]) -> None:
    samples = np.random.default_rng(0).permutation(count).astype(np.uint16).reshape(1, -1)
    found = Extremes.of(samples, 16)
    assert (found.low, found.high) == (0, count - 1)
    assert (found.usual_low, found.usual_high) == usual
