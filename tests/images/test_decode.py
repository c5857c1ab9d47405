from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from reference_decoding import FORMATS, SIZE, furthest, odd_tiff, resized

from pipeline.images.decode import decode


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_decoded_and_resized(kind, photo, encode):
    result = decode(encode(photo, kind, **FORMATS[kind]), SIZE)
    assert result.shape == (SIZE, SIZE, 3)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    assert furthest(result, resized(photo)) <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize("size", [1, 7, 60, 200])
def test_any_size_is_reached_from_both_sides(size, photo, encode):
    np.testing.assert_array_equal(decode(encode(photo), size), resized(photo, size))


def test_an_image_of_the_right_size_is_returned_pixel_by_pixel(photo, encode):
    square = np.ascontiguousarray(photo[:SIZE, :SIZE])
    np.testing.assert_array_equal(decode(encode(square), SIZE), square)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda a: a),
        (2, np.fliplr),
        (3, lambda a: np.rot90(a, 2)),
        (4, np.flipud),
        (5, lambda a: np.swapaxes(a, 0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: np.rot90(np.swapaxes(a, 0, 1), 2)),
        (8, np.rot90),
        (0, lambda a: a),
        (9, lambda a: a),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG", "TIFF"])
def test_exif_orientation_is_applied_exactly(kind, orientation, turn, photo, encode):
    square = np.ascontiguousarray(photo[:SIZE, :SIZE])
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = decode(encode(square, kind, **FORMATS[kind]), SIZE)
    turned = decode(encode(square, kind, exif=exif, **FORMATS[kind]), SIZE)
    np.testing.assert_array_equal(turned, turn(plain))


def test_orientation_comes_before_the_loss_of_the_aspect_ratio(photo, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    result = decode(encode(photo, exif=exif), SIZE)
    assert furthest(result, resized(np.ascontiguousarray(np.rot90(photo, -1)))) <= 1


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHLL", 0x0112, 7, 1, 6),
        b"Exif\0\0junk that is no directory",
    ],
)
def test_damaged_exif_counts_as_upright(exif, photo, encode):
    np.testing.assert_array_equal(
        decode(encode(photo, "JPEG", exif=exif), SIZE), decode(encode(photo, "JPEG"), SIZE)
    )


def large_jpeg(encode, height=1379, width=1733):
    y, x = np.mgrid[:height, :width]
    rings = (np.sin((x**2 + y**2) / 4000) + 1) * 127
    tiles = np.where((x // 37 + y // 53) % 2, 250, 5)
    noise = np.random.default_rng(0).integers(0, 256, (height, width))
    return encode(
        np.stack([rings, tiles, noise], axis=-1).astype(np.uint8), "JPEG", quality=90, subsampling=0
    )


@pytest.mark.parametrize("size", [64, 150, 224])
def test_a_draft_of_a_large_jpeg_looks_like_the_full_decode(size, encode):
    data = large_jpeg(encode)
    full = resized(np.asarray(Image.open(io.BytesIO(data))), size)
    difference = np.abs(decode(data, size).astype(int) - full.astype(int))
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 4


def test_a_small_jpeg_is_decoded_in_full(photo, encode):
    data = encode(photo, "JPEG")
    np.testing.assert_array_equal(decode(data, SIZE), resized(np.asarray(Image.open(io.BytesIO(data)))))


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 1), (60, 80, 3)])
def test_arrays_are_resized_like_files(shape, photo):
    pixels = photo if shape[2:] == (3,) else photo[..., 1].copy()
    np.testing.assert_array_equal(decode(pixels.reshape(shape), SIZE), resized(pixels))


def test_arrays_with_alpha_are_laid_on_white(photo):
    clear = np.dstack([photo, np.zeros(photo.shape[:2], np.uint8)])
    assert (decode(clear, 4) == 255).all()
    assert furthest(decode(np.dstack([photo, np.full((60, 80), 255, np.uint8)]), SIZE), resized(photo)) == 0


def test_arrays_may_be_views(photo):
    np.testing.assert_array_equal(
        decode(photo[::2, ::-1], SIZE), resized(np.ascontiguousarray(photo[::2, ::-1]))
    )


def test_threads_decode_all_kinds_at_once(photo, encode):
    files = [encode(photo, kind, **FORMATS[kind]) for kind in FORMATS] + [odd_tiff(encode, photo)]
    files += [encode(Image.fromarray(photo).quantize(16), "GIF"), encode(photo, "JPEG")]
    expected = [decode(data, SIZE) for data in files]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: decode(files[i % len(files)], SIZE), range(len(files) * 20)))
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[i % len(files)])


def test_photographs_are_decoded_like_a_plain_resize(shared):
    folder = shared / "data" / "cats_and_dogs_small" / "test" / "cats"
    for file in sorted(folder.glob("*.jpg"))[:20]:
        data = file.read_bytes()
        np.testing.assert_array_equal(decode(data, 150), resized(np.asarray(Image.open(file)), 150))
