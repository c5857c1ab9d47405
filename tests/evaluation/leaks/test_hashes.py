from __future__ import annotations

import io

import numpy as np
import pytest
from photos import noise, scene
from PIL import Image
from scipy.fft import dctn

from pipeline.evaluation.leaks import hashes as hashing
from pipeline.evaluation.leaks.hashes import _BASIS, HASH_BYTES, ORIENTATIONS, oriented, picture_hash
from pipeline.evaluation.leaks.lookalikes import MOST_BITS
from pipeline.images import ImageItem
from pipeline.images.contents import ChangedError
from pipeline.images.decode import DecodeError, decode

SEEDS = range(20)
COPIES = {
    "quality 60": lambda picture: encoded(picture, "JPEG", quality=60),
    "quality 30": lambda picture: encoded(picture, "JPEG", quality=30),
    "webp": lambda picture: encoded(picture, "WEBP", quality=60),
    "smaller": lambda picture: encoded(picture.resize((168, 126)), "PNG"),
    "larger": lambda picture: encoded(picture.resize((480, 360)), "PNG"),
    "grey": lambda picture: encoded(picture.convert("L"), "PNG"),
    "another aspect": lambda picture: encoded(picture.resize((200, 200)), "PNG"),
}
TURNS = {
    1: Image.Transpose.FLIP_LEFT_RIGHT,
    2: Image.Transpose.FLIP_TOP_BOTTOM,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.TRANSPOSE,
    5: Image.Transpose.ROTATE_90,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
}


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def hashes(pictures: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(picture_hash(one) for one in pictures), np.uint8).reshape(-1, HASH_BYTES)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.bitwise_count(a[:, None] ^ b[None]).sum(axis=-1)


@pytest.fixture(scope="module")
def originals() -> np.ndarray:
    return hashes([encoded(scene(seed), "PNG") for seed in SEEDS])


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_has_nearly_the_same_hash(copy: str, originals: np.ndarray) -> None:
    copies = hashes([COPIES[copy](scene(seed)) for seed in SEEDS])
    assert np.diag(distances(originals, copies)).max() <= MOST_BITS


def test_strangers_have_hashes_far_apart(originals: np.ndarray) -> None:
    apart = distances(originals, originals)[np.triu_indices(len(originals), 1)]
    assert apart.min() > 3 * MOST_BITS


@pytest.mark.parametrize("way", range(1, 8), ids=lambda way: ORIENTATIONS[way])
def test_the_hash_of_the_picture_in_another_orientation_needs_no_picture(
    way: int, originals: np.ndarray
) -> None:
    turned = hashes([encoded(scene(seed).transpose(TURNS[way]), "PNG") for seed in SEEDS])
    assert np.diag(distances(originals, oriented(turned, way))).max() <= MOST_BITS
    for other in set(range(8)) - {way}:
        assert np.diag(distances(originals, oriented(turned, other))).min() > 3 * MOST_BITS


def test_the_bits_are_the_signs_of_the_lowest_frequencies() -> None:
    pixels = noise(1, 64)
    grey = decode(pixels, 32) @ np.array([0.299, 0.587, 0.114])
    expected = dctn(grey, norm="ortho")[:16, :16].reshape(-1) > 0
    found = np.unpackbits(np.frombuffer(picture_hash(pixels), np.uint8)).astype(bool)
    np.testing.assert_array_equal(found[1:], expected[1:])
    assert not found[0]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_page_has_no_hash(level: int) -> None:
    assert picture_hash(np.full((90, 60, 3), level, np.uint8)) == b""


def test_a_single_line_on_a_blank_page_is_still_too_plain() -> None:
    page = np.full((64, 64), 255, np.uint8)
    page[:, 40:] = 0
    assert picture_hash(page) == b""


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(DecodeError):
        picture_hash(b"no picture")


def test_frequencies_are_told_apart_without_a_change_of_scale() -> None:
    assert pytest.approx(np.eye(16), abs=1e-6) == _BASIS @ _BASIS.T


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DecodeError("it is cut off"), "it is cut off"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (ChangedError(bytes(32)), "it has changed since its features were made"),
    ],
)
def test_why_a_picture_has_no_hash_is_returned(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise error

    monkeypatch.setattr(hashing, "read_checked", fail)
    item = ImageItem("a.png", "")
    assert hashing._hash(None, item, wanted={"a.png": b""}) == reason
