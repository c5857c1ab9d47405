from __future__ import annotations

import numpy as np
import pytest
import tiffs
from PIL import Image
from reference_decoding import FORMATS, SIZE, furthest, resized

from pipeline.images.decode import decode


def test_grey_and_one_bit_images_become_rgb(photo, encode):
    grey = photo[..., 0].copy()
    np.testing.assert_array_equal(decode(encode(grey), SIZE), resized(grey))
    np.testing.assert_array_equal(
        decode(encode(Image.fromarray(grey).convert("1")), SIZE),
        resized(np.asarray(Image.fromarray(grey).convert("1").convert("L"))),
    )


def test_palette_images_are_smoothed_in_colour(photo, encode):
    palette = Image.fromarray(photo).quantize(64)
    np.testing.assert_array_equal(decode(encode(palette), SIZE), resized(np.asarray(palette.convert("RGB"))))
    np.testing.assert_array_equal(
        decode(encode(palette, "GIF"), SIZE), resized(np.asarray(palette.convert("RGB")))
    )


@pytest.mark.parametrize("transparency", [0, bytes([0, 255, 128])])
def test_a_transparent_palette_is_laid_on_white(transparency, encode):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    image.paste(1, (4, 0, 8, 8))
    result = decode(encode(image, transparency=transparency), 8)
    assert (result[:, :4] == 255).all()
    assert (result[:, 4:] == [10, 200, 10]).all()


def test_alpha_is_laid_on_white_and_hidden_colours_do_not_bleed(encode):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = [255, 0, 0, 0]
    pixels[:, 4:] = [0, 0, 255, 255]
    for kind in ("PNG", "WEBP"):
        result = decode(encode(pixels, kind, **FORMATS[kind]), 16)
        assert (result[:, 0] == 255).all()
        assert (result[:, -1] == [0, 0, 255]).all()
        np.testing.assert_array_equal(result[..., 0], result[..., 1])  # the hidden red is nowhere
    pixels[...] = [0, 0, 0, 128]
    assert (decode(encode(pixels), 4) == 127).all()


def test_grey_with_alpha_and_transparent_colours_are_laid_on_white(encode):
    clear = encode(Image.merge("LA", [Image.new("L", (4, 4), 50), Image.new("L", (4, 4), 0)]))
    keyed = encode(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3))
    assert (decode(clear, 4) == 255).all()
    assert (decode(keyed, 4) == 255).all()


def deep_ramp():
    return np.linspace(0, 65535, 64 * 64).reshape(64, 64).round().astype(np.uint16)


def deep_images():
    """Encoded 16-bit and float ramps from black to white."""
    ramp = deep_ramp()
    little = Image.fromarray(ramp)
    big = Image.frombytes("I;16B", (64, 64), ramp.astype(">u2").tobytes())
    wide = Image.fromarray(ramp.astype(np.int32))
    return {
        "png": (little, "PNG"),
        "tiff I;16": (little, "TIFF"),
        "tiff I;16B": (big, "TIFF"),
        "tiff I": (wide, "TIFF"),
        "pgm": (wide, "PPM"),
        "float 0..1": (Image.fromarray((ramp / 65535).astype(np.float32)), "TIFF"),
        "float 0..65535": (Image.fromarray(ramp.astype(np.float32)), "TIFF"),
        "float below 0": (Image.fromarray((ramp / 65535 - 0.5).astype(np.float32)), "TIFF"),
        "32 bit": (Image.fromarray(ramp.astype(np.int32) << 15), "TIFF"),
    }


@pytest.mark.parametrize("name", deep_images())
def test_deep_grey_is_scaled_not_clipped(name, encode):
    image, kind = deep_images()[name]
    result = decode(encode(image, kind), 64)
    np.testing.assert_array_equal(result[..., 0], result[..., 2])
    assert furthest(result[..., 0], np.rint(deep_ramp() / 257)) <= 1


def test_twelve_bits_are_scaled_by_their_own_range():
    levels = np.tile([0, 1365, 2730, 4095], 16).reshape(8, 8).astype(np.uint16)
    found = decode(tiffs.tiff(levels, bits=12), 8)[..., 0]
    np.testing.assert_array_equal(found.reshape(-1), np.tile([0, 85, 170, 255], 16))


def test_cmyk_has_the_right_colours(encode):
    colours = {"red": (0, 255, 255, 0), "white": (0, 0, 0, 0), "black": (0, 0, 0, 255)}
    expected = {"red": (255, 0, 0), "white": (255, 255, 255), "black": (0, 0, 0)}
    for kind in ("JPEG", "TIFF"):
        for name, ink in colours.items():
            result = decode(encode(Image.new("CMYK", (16, 16), ink), kind), 8)
            assert furthest(result, np.array(expected[name])) <= 3, (kind, name)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_animations_give_their_first_frame(kind, photo, encode):
    frames = [Image.fromarray(np.full((12, 12, 3), level, np.uint8)) for level in (40, 250)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **FORMATS.get(kind, {}))
    assert furthest(decode(data, 8), np.array(40)) <= 1
