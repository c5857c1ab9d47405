"""What resizes: the quick one is near to Pillow, and the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cykooz_resizer
import numpy as np
import pytest
from hostile_images import corpus
from PIL import Image
from reference_decoding import FORMATS, SIZE, furthest, resized

from pipeline.errors import UsageError
from pipeline.images import resizing
from pipeline.images.decode import DecodeError, decode
from pipeline.images.resizing import (
    CYKOOZ,
    FILTERS,
    PILLOW,
    RESIZES,
    by_pillow,
    find_resize,
    quickest_resize,
    resizes,
)
from pipeline.memory import ShortageError

QUICK = find_resize(CYKOOZ)


@pytest.fixture
def loaded_anew() -> Iterator[None]:
    """Has the package loaded, and its answer checked, in the test and after it."""
    resizing._cykooz.cache_clear()
    yield
    resizing._cykooz.cache_clear()


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("size", [1, 7, 64, 224])
@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (1, 7), (3, 2), (64, 64), (80, 60), (500, 375), (333, 1000), (1, 20_000), (20_000, 1)],
)
def test_it_is_near_to_pillow(width: int, height: int, size: int) -> None:
    """Both round twice, after each direction: two grey levels are possible, and seldom."""
    picture = noise(width, height)
    boxes = [None, (0.0, 0.0, width - 0.375, height - 0.625)]
    for box in boxes:
        colours = np.asarray(QUICK(picture, size, box))
        assert colours.shape == (size, size, 3)
        away = np.abs(colours.astype(int) - np.asarray(by_pillow(picture, size, box)))
        assert away.max() <= 2
        assert (away == 2).mean() < 0.001
    grey = picture.convert("L")
    as_colours = np.asarray(QUICK(grey.convert("RGB"), size, None))
    np.testing.assert_array_equal(np.asarray(QUICK(grey, size, None)), as_colours[..., 0])


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("geometry", ["", "shorter-edge-40", "square-37-even"])
def test_every_filter_is_near_to_that_of_pillow(filter: str, geometry: str) -> None:
    """Sharper ones overshoot, and are cut off at black and white after each direction: noise is the worst."""
    quick, exact = (find_resize(name, geometry) for name in resizes(filter))
    for width, height in ((80, 60), (61, 97), (333, 1000)):
        away = np.abs(
            np.asarray(quick(noise(width, height), 32)).astype(int)
            - np.asarray(exact(noise(width, height), 32))
        )
        assert away.max() <= (2 if filter == "bilinear" else 24)
        assert away.mean() < 0.5


@pytest.mark.parametrize("level", [0, 1, 254, 255])
def test_an_even_picture_stays_what_it_is(level: int) -> None:
    for width, height in ((3, 2), (500, 375), (1, 20_000), (5_000, 999)):
        assert (np.asarray(QUICK(Image.new("L", (width, height), level), 50, None)) == level).all()


def test_edges_are_not_overshot() -> None:
    board = (np.indices((301, 203)).sum(axis=0) % 2 * 255).astype(np.uint8)
    for size in (10, 150, 400):
        found = np.asarray(QUICK(Image.fromarray(board), size, None))
        assert furthest(found, resized(board, size)[..., 0]) <= 1


def test_a_picture_of_the_right_size_stays_what_it_is() -> None:
    picture = noise(SIZE, SIZE)
    assert QUICK(picture, SIZE, (0, 0, SIZE, SIZE)).tobytes() == picture.tobytes()


@pytest.mark.parametrize("instructions", cykooz_resizer.CpuExtensions)
def test_numbers_are_the_same_with_all_vector_instructions(
    instructions: cykooz_resizer.CpuExtensions, loaded_anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that this processor lacks must not be asked for."""
    kinds = cykooz_resizer.CpuExtensions
    best = cykooz_resizer.Resizer().cpu_extensions
    if instructions not in {kinds.none, best, kinds.sse4_1 if best is kinds.avx2 else best}:
        pytest.skip(f"this processor has no {instructions.name}")

    def with_them() -> cykooz_resizer.Resizer:
        resizer = made()
        resizer.cpu_extensions = instructions
        asked.append(resizer.cpu_extensions)
        return resizer

    made, asked = cykooz_resizer.Resizer, []
    monkeypatch.setattr(cykooz_resizer, "Resizer", with_them)
    for filter in FILTERS:
        find_resize(resizes(filter)[0])  # which compares its answer with the known one
    assert set(asked) == {instructions}


def test_other_numbers_are_not_taken(loaded_anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resizing, "_KNOWN_ANSWERS", {"bilinear": "another"})
    with pytest.raises(UsageError, match=r"makes other numbers .*--resize bilinear-antialias"):
        find_resize(CYKOOZ)
    assert quickest_resize()[0] == PILLOW


def test_without_the_package_pillow_is_the_quickest_and_says_why(
    loaded_anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quickest_resize() == (RESIZES[0], "")
    resizing._cykooz.cache_clear()
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    with pytest.raises(UsageError, match="needs the package cykooz-resizer: pip install"):
        find_resize(CYKOOZ)
    name, reason = quickest_resize()
    assert (name, find_resize(name)) == (PILLOW, by_pillow)
    assert "needs the package cykooz-resizer" in reason


def test_an_unknown_resize_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown resize 'nearest'.*choose from bilinear-antialias-cykooz"):
        find_resize("nearest")


def test_very_long_pictures_are_left_to_pillow() -> None:
    for picture in (noise(32_769, 2), noise(2, 32_769)):
        assert QUICK(picture, 9, None).tobytes() == by_pillow(picture, 9).tobytes()


def test_too_little_memory_is_told_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library ends the process where it gets none."""
    monkeypatch.setattr(resizing, "can_have", lambda count: count < 4 * 8 * 375)
    with pytest.raises(ShortageError):
        decode(np.asarray(noise(500, 375)), 8, None, QUICK)
    assert decode(np.asarray(noise(50, 37)), 8, None, QUICK).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_resized_by_it(kind: str, photo: np.ndarray, encode: Callable[..., bytes]) -> None:
    data = encode(photo, kind, **FORMATS[kind])
    assert furthest(decode(data, SIZE, None, QUICK), decode(data, SIZE)) <= 1


@pytest.mark.parametrize("size", [20, 33])
def test_a_jpeg_reduced_by_its_decoder_is_cut_alike(size: int, encode: Callable[..., bytes]) -> None:
    data = encode(np.asarray(noise(999, 777)), "JPEG")  # both are no multiples of 8
    assert furthest(decode(data, size, None, QUICK), decode(data, size)) <= 1


def test_transparent_pictures_are_resized_by_pillow(photo: np.ndarray, encode: Callable[..., bytes]) -> None:
    alpha = np.arange(photo.shape[0] * photo.shape[1], dtype=np.uint8).reshape(photo.shape[:2])
    data = encode(np.dstack([photo, alpha]))
    np.testing.assert_array_equal(decode(data, SIZE, None, QUICK), decode(data, SIZE))


def test_hostile_files_give_the_same_pixels_or_the_same_reason() -> None:
    def outcome(data: bytes, *resize: Any) -> np.ndarray | str:
        try:
            return decode(data, SIZE, None, *resize)
        except DecodeError as error:
            return str(error)

    decoded = 0
    for file in corpus():
        quick, plain = outcome(file.content, QUICK), outcome(file.content)
        if isinstance(plain, str):
            assert quick == plain
        else:
            decoded += 1
            assert furthest(quick, plain) <= 1
    assert decoded > 30


def test_threads_resize_all_at_once() -> None:
    pictures = [noise(100 + number, 80) for number in range(8)]
    expected = [QUICK(picture, 40, None).tobytes() for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: QUICK(pictures[number % 8], 40, None).tobytes(), range(160)))
    assert found == expected * 20
