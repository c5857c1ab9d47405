from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from hostile_images import bombs
from PIL import Image
from reference_decoding import FORMATS, SIZE, odd_tiff, resized

from pipeline.images.decode import DecodeError, decode
from pipeline.images.formats import encoded


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4), np.complex64),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 2), np.uint16),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(DecodeError, match=r"are no |no pixels"):
        decode(pixels, 4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\0", "no image of a known format"),
        (b"Hello, I am a text file.\n" * 9, "no image of a known format"),
        (b"%PDF-1.7 " * 9, "no image of a known format"),
        (b"\0\0\x01\0\x01\0", "no image of a known format"),  # an icon
        (b"BM is how this text begins", "damaged BMP file"),
        (b"\xff\xd8\xff" + b"\0" * 50, "damaged JPEG file"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged WebP file"),
        (b"GIF89a", "damaged GIF file"),
    ],
)
def test_what_is_no_image_is_refused(data, reason):
    with pytest.raises(DecodeError, match=reason):
        decode(data, 8)


@pytest.mark.parametrize("kind", [*FORMATS, "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files_are_refused_with_one_short_line(kind, share, encode):
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    data = encode(noise, kind, **FORMATS.get(kind, {}))
    with pytest.raises(DecodeError) as caught:
        decode(data[: int(len(data) * share)], 16)
    assert str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG", "WebP", "TIFF", "PPM"])
def test_bombs_are_refused_by_their_headers(kind, monkeypatch):
    def decoded(*_):
        raise AssertionError("the pixels of a bomb were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(DecodeError, match=r"6000\d x 6000\d pixels are more than the limit of 100,000,000"):
        decode(bombs()[kind], 8)


@pytest.mark.parametrize("lossless", [True, False])
def test_the_size_of_a_webp_is_known_before_decoding(lossless, photo, encode, monkeypatch):
    monkeypatch.setattr(encoded, "MAX_PIXELS", 80 * 60 - 1)
    for image in (photo, np.dstack([photo, photo[..., 0]])):
        with pytest.raises(DecodeError, match="80 x 60 pixels are more"):
            decode(encode(image, "WEBP", lossless=lossless), 8)
    monkeypatch.setattr(encoded, "MAX_PIXELS", 80 * 60)
    assert decode(encode(photo, "WEBP", lossless=lossless), 8).shape == (8, 8, 3)


def test_arrays_have_the_limit_of_files(photo, monkeypatch):
    arrays = photo, photo[..., 0], photo[..., :1], photo.astype(np.uint16)
    monkeypatch.setattr(encoded, "MAX_PIXELS", 80 * 60 - 1)
    for pixels in arrays:
        with pytest.raises(DecodeError, match="80 x 60 pixels are more"):
            decode(pixels, 8)
    monkeypatch.setattr(encoded, "MAX_PIXELS", 80 * 60)
    for pixels in arrays:
        assert decode(pixels, 8).shape == (8, 8, 3)


def test_the_limit_does_not_depend_on_pillow(photo, encode, monkeypatch):
    files = [encode(photo, kind, **FORMATS[kind]) for kind in FORMATS]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60 * 80 - 1)
    for data in files:
        assert decode(data, 8).shape == (8, 8, 3)


def test_odd_files_are_decoded_without_warnings(photo, encode):
    data = odd_tiff(encode, photo)
    with pytest.warns(UserWarning, match="Truncated"):
        Image.open(io.BytesIO(data))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = decode(data, SIZE)
    assert not caught
    np.testing.assert_array_equal(result, resized(photo))
