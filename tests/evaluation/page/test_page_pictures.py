from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from pipeline.evaluation.page import pictures
from pipeline.evaluation.page.pictures import Album, encode, sheets
from pipeline.images.contents import digest


def decoded(address: str) -> np.ndarray:
    kind, _, data = address.partition(";base64,")
    assert kind.startswith("data:image/")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("RGB"))


def test_pictures_come_back_as_they_were(make_case):
    source = make_case(("a", "b"), n=4).images
    found = Album(source, {}).read([*source.pictures, next(iter(source.pictures))], size=8)
    assert list(found) == list(source.pictures)
    for name, picture in found.items():
        assert picture.shape == (8, 8, 3)
        assert abs(decoded(encode(picture)).mean() - source.pictures[name].mean()) < 12


def test_a_sheet_holds_each_picture_in_its_slot(monkeypatch):
    monkeypatch.setattr(pictures, "SHEET", 4)
    colours = [np.full((16, 16, 3), 40 * i, np.uint8) for i in range(6)]
    first, second = map(decoded, sheets(iter(colours), size=16))
    assert (first.shape, second.shape) == ((32, 32, 3), (16, 32, 3))
    for slot in range(6):
        sheet, inside = (first, second)[slot // 4], slot % 4
        top, left = inside // 2 * 16, inside % 2 * 16
        assert abs(sheet[top + 4 : top + 12, left + 4 : left + 12].mean() - 40 * slot) < 8
    assert sheets([], size=16) == []


def test_what_cannot_be_shown_is_counted_and_told_apart(make_case):
    source = make_case(("a", "b"), n=4).images
    ids = list(source.pictures)
    source.pictures[ids[0]] = np.zeros((5, 5, 7), np.uint8)  # no picture
    digests = {ids[1]: digest(source.pictures[ids[1]]), ids[2]: b"\0" * 32}
    album = Album(source, digests)
    assert list(album.read([*ids, "never there"], size=8)) == [ids[1], ids[3]]
    assert album.failures == {ids[0]: "gone", ids[2]: "changed", "never there": "gone"}
    assert album.note == (
        "Some pictures are not shown: 2 are gone or cannot be read and 1 was changed after the features "
        "were computed."
    )


def test_without_images_the_page_says_so_once(make_case):
    case = make_case(("a", "b"))
    text = case.write(images=None)
    assert text.count("no longer where they were") == 1
    assert "<img" not in text
    assert case.write().count("<img") > 20
