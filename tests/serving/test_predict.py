"""``pipeline.predict``: any image, of files or of memory, has the answer that its file has in the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import Photos, noise
from PIL import Image, ImageOps

import pipeline
from pipeline.cache.features import Selection
from pipeline.errors import UsageError
from pipeline.heads import TrainedHead
from pipeline.serving import gather_images

Trained = tuple[Selection, TrainedHead]


@pytest.fixture
def pixels(trained: Callable[..., Trained]) -> Trained:
    return trained(backbone="pixels")


def held(photos: Photos) -> list[np.ndarray]:
    """Returns the pixels of the test images, in the order of their rows."""
    return [np.asarray(Image.open(path)) for path in photos.files("test")]


GIVEN: dict[str, Callable[[Photos], Any]] = {
    "a folder as text": lambda photos: str(photos.root / "test"),
    "a folder as a path": lambda photos: photos.root / "test",
    "files": lambda photos: [str(path) for path in photos.files("test")],
    "a generator": lambda photos: iter(photos.files("test")),
    "Pillow images": lambda photos: list(map(Image.open, photos.files("test"))),
    "arrays": held,
    "one array of all": lambda photos: np.stack(held(photos)),
    "a mixture": lambda photos: [
        photos.files("test")[0],
        Image.open(photos.files("test")[1]),
        np.stack(held(photos)[2:5]),
        *held(photos)[5:],
    ],
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_every_kind_of_image_has_the_answer_of_its_cached_file(
    given: Callable[[Photos], Any], pixels: Trained, photos: Photos, cache: Path
) -> None:
    selection, head = pixels
    answers = pipeline.predict(head, given(photos), cache=cache)
    expected = head.predict_proba(selection.open("test"))
    np.testing.assert_allclose(answers.probabilities, expected, atol=1e-12)
    assert answers.predicted == [head.classes[i] for i in expected.argmax(axis=1)]
    assert answers.failures == []


def test_one_string_is_one_path(pixels: Trained, photos: Photos, cache: Path) -> None:
    (path, *_) = photos.files("test")
    for one in (str(path), path, np.asarray(Image.open(path)), Image.open(path)):
        assert len(pipeline.predict(pixels[1], one, cache=cache).ids) == 1


def test_the_head_may_be_named_by_its_folder(pixels: Trained, photos: Photos, cache: Path) -> None:
    _, head = pixels
    answers = [
        pipeline.predict(one, photos.files("test")[0], cache=str(cache))
        for one in (head, head.folder, str(head.folder))
    ]
    assert len({one.probabilities.tobytes() for one in answers}) == 1


def test_cuts_side_by_side_are_found_in_the_cache(
    trained: Callable[..., Trained], photos: Photos, cache: Path
) -> None:
    selection, head = trained(layers=("block1_pool", "block5_pool:avg"))
    answers = pipeline.predict(head, photos.root / "test", cache=cache)
    np.testing.assert_allclose(answers.probabilities, head.predict_proba(selection.open("test")), atol=1e-12)


def test_a_cache_without_the_features_is_told(pixels: Trained, photos: Photos, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"features that head 'logreg' was trained on are not there.*cache"):
        pipeline.predict(pixels[1], photos.root, cache=tmp_path / "elsewhere")


def test_bad_images_fail_alone_and_the_others_keep_their_order(
    pixels: Trained, photos: Photos, cache: Path
) -> None:
    first, second, *_ = photos.files("test")
    photos.spoil(first)
    answers = pipeline.predict(pixels[1], [second, first, noise(1)], cache=cache)
    assert answers.ids == [str(second), "images[2]"]
    assert [failure.id for failure in answers.failures] == [str(first)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no image in nothing"),
        ([noise(1).astype(np.float32)], r"images\[0\] is float32 \(32, 32, 3\): give uint8 arrays"),
        ([noise(1)[..., 0]], r"images\[0\] is uint8 \(32, 32\): give"),
        ([noise(1), 7], r"images\[1\] is of type int: give paths, bytes, Pillow images, or uint8"),
    ],
)
def test_what_is_no_image_is_refused(given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        gather_images(given)


def test_images_in_memory_are_named_by_their_place() -> None:
    source = gather_images([noise(1), Image.fromarray(noise(2)), np.stack([noise(3), noise(4)])])
    assert [item.id for item in source.items()] == ["images[0]", "images[1]", "images[2][0]", "images[2][1]"]
    read = [source.read(item) for item in source.items()]
    np.testing.assert_array_equal(read, [noise(seed) for seed in (1, 2, 3, 4)])


def test_a_pillow_image_is_turned_as_its_file_would_be(tmp_path: Path) -> None:
    image = Image.fromarray(noise(1)[:20])
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "turned.png", exif=image.getexif())
    with Image.open(tmp_path / "turned.png") as opened:
        source = gather_images(opened)
        (item,) = source.items()
        np.testing.assert_array_equal(source.read(item), ImageOps.exif_transpose(image))


def test_one_image_that_is_given_twice_is_read_in_one_thread(tmp_path: Path) -> None:
    Image.fromarray(noise(1, side=200)).save(tmp_path / "one.png")
    source = gather_images([Image.open(tmp_path / "one.png")] * 8)
    read: list[object] = []
    threads = [
        threading.Thread(target=lambda item=item: read.append(source.read(item))) for item in source.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(read, [noise(1, side=200)] * 8)
