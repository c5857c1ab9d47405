"""Batches of decoded images, in which a bad one fails alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from photos import noise

from pipeline.errors import UsageError
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.load import Loader
from pipeline.images import ImageItem
from pipeline.images.contents import digest
from pipeline.images.decode import decode
from pipeline.images.image_list import list_images
from pipeline.images.resizing import CYKOOZ, PILLOW, find_resize


class Shelf:
    """An image source over arrays, bytes, or exceptions to raise."""

    uri = name = "shelf"
    classes = ("a",)
    notes = ()

    def __init__(self, contents: list[object]) -> None:
        self.contents = contents

    def items(self) -> list[ImageItem]:
        return [ImageItem(id=str(i), label=0) for i in range(len(self.contents))]

    def read(self, item: ImageItem) -> bytes | np.ndarray:
        content = self.contents[int(item.id)]
        if isinstance(content, Exception):
            raise content
        return content


def make_loader(*contents: object) -> Loader:
    shelf = Shelf(list(contents))
    digests = [b"?" * 32 if isinstance(c, Exception) else digest(c) for c in contents]
    return Loader(
        source=shelf,
        items=shelf.items(),
        digests=np.array([list(d) for d in digests], np.uint8),
        views=np.zeros(len(contents), np.uint8),
        augmentation=Augmentation(),
        image_size=8,
        batch_size=4,
        resize=CYKOOZ,
    )


def test_a_batch_is_full_whatever_is_wanted() -> None:
    images = [noise(i, 8) for i in range(6)]
    batch = make_loader(*images).load(np.array([4, 1]))
    assert batch.images.shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(batch.images[:2], [images[4], images[1]])
    assert not batch.images[2:].any()
    assert batch.loaded.tolist() == [True, True]
    assert batch.failures == []


@pytest.mark.parametrize(
    ("content", "reason", "at_fault"),
    [
        (OSError(5, "Input/output error"), "Input/output error", False),
        (OSError("not a regular file"), "not a regular file", False),
        (b"no image", "no image of a known format", True),
        (b"", "empty", True),
    ],
)
def test_a_bad_image_fails_alone(content: object, reason: str, at_fault: bool) -> None:
    good = noise(1, 8)
    batch = make_loader(good, content, good).load(np.arange(3))
    assert batch.loaded.tolist() == [True, False, True]
    np.testing.assert_array_equal(batch.images[[0, 2]], [good, good])
    assert not batch.images[1].any()
    (failure,) = batch.failures
    assert failure.id == "1"
    assert reason in failure.reason
    assert failure.digest == (digest(content).hex() if at_fault else "")


@pytest.mark.parametrize("name", [CYKOOZ, PILLOW])
def test_images_are_resized_as_is_said(name: str) -> None:
    image = noise(0, 99)
    (found,) = replace(make_loader(image), resize=name, batch_size=1).load(np.arange(1)).images
    np.testing.assert_array_equal(found, decode(image, 8, None, find_resize(name)))
    if name == CYKOOZ:
        assert (found != decode(image, 8)).any()


def test_a_machine_without_what_resizes_blames_no_image() -> None:
    with pytest.raises(UsageError, match="unknown resize 'other'"):
        replace(make_loader(noise(0, 8)), resize="other").load(np.arange(1))


def test_an_image_that_is_not_the_planned_one_is_refused() -> None:
    loader = make_loader(noise(1, 8), noise(2, 8))
    loader.source.contents[1] = noise(3, 8)
    batch = loader.load(np.arange(2))
    assert batch.loaded.tolist() == [True, False]
    assert "changed while stage one was running" in batch.failures[0].reason
    assert batch.failures[0].digest == ""


def test_without_a_plan_any_content_is_welcome_and_its_digest_told() -> None:
    planned = make_loader(noise(1, 8), b"no image", OSError("gone"))
    batch = replace(planned, digests=None).load(np.arange(3))
    assert batch.loaded.tolist() == [True, False, False]
    assert [row.tobytes() for row in batch.digests] == [
        digest(noise(1, 8)),
        digest(b"no image"),
        bytes(32),
    ]


def test_a_file_that_is_named_twice_fails_twice() -> None:
    loader = make_loader(b"no image", noise(0, 8))
    twice = replace(loader, items=[loader.items[0], *loader.items], digests=None, views=np.zeros(3, np.uint8))
    batch = twice.load(np.arange(3))
    assert [failure.id for failure in batch.failures] == ["0", "0"]
    assert batch.loaded.tolist() == [False, False, True]


def test_views_of_a_lazy_list_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loader = make_loader(noise(0, 8), b"no image")
    items = list_images(loader.items)[[0, 0, 0, 1, 1]]
    digests = loader.digests[[0, 0, 0, 1, 1]]
    views = replace(loader, items=items, digests=digests, views=np.array([0, 1, 2, 0, 1], np.uint8))
    reads = []
    read = loader.source.read
    monkeypatch.setattr(loader.source, "read", lambda item: reads.append(item.id) or read(item))
    batch = replace(views, batch_size=5).load(np.arange(5))
    assert reads == ["0", "1"]
    assert [failure.id for failure in batch.failures] == ["1"]
    assert batch.loaded.tolist() == [True, True, True, False, False]
