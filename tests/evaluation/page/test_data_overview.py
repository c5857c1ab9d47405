from __future__ import annotations

import dataclasses
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.evaluation.page import left_out as module
from pipeline.evaluation.page.class_counts import class_counts
from pipeline.evaluation.page.examples import class_examples
from pipeline.evaluation.page.image_sizes import image_sizes, pixel_size, sample_of_ids
from pipeline.evaluation.page.left_out import left_out
from pipeline.evaluation.page.pictures import Album
from pipeline.images import LeftOut
from pipeline.images.decode import DecodeError


def encoded(width: int, height: int, *, turned: bool = False) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6 if turned else 1
    Image.new("RGB", (width, height)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def test_images_are_counted_by_class_and_split_whatever_the_numbers_of_the_classes(make_case, make_features):
    case = make_case(("a", "b"), n=40, unlabelled=3)
    labels = np.array([0] * 30 + [1] * 2 + [2] * 30 + [-1])
    train = make_features(np.zeros((63, 2)), labels, split="train", classes=("b", "new", "a"))
    counts = class_counts(case.report, {"train": train, **case.features})
    assert counts.rows == {"train": 63, "test": 40}
    assert counts.unlabelled == (1, 3)
    lines = {line.name: line for line in counts.lines}
    assert list(lines) == ["a", "b", "new"]
    assert [lines[name].counts[0] for name in ("a", "b", "new")] == [30, 30, 2]
    assert sum(line.counts[1] for line in counts.lines) == 37
    assert [line.name for line in counts.lines if line.rare] == ["new"]


def test_views_are_no_images(make_case):
    case = make_case(("a", "b"), n=20)
    features = case.features["test"]
    views = np.arange(20, dtype=np.uint8) % 2
    part = dataclasses.replace(features, rows=dataclasses.replace(features.rows, views=views))
    counts = class_counts(case.report, {"test": part})
    assert (counts.totals, counts.views) == ((10,), (10,))


def test_of_very_many_classes_the_smallest_are_listed(make_case):
    case = make_case([f"c{i}" for i in range(50)], n=400)
    found = class_counts(case.report, case.features, most=5)
    sizes = np.bincount(case.report.rows.labels, minlength=50)
    assert sorted(line.counts[0] for line in found.lines) == sorted(sizes)[:5]
    assert found.classes == 50
    assert sum(found.totals) == 400


@pytest.mark.parametrize(("most", "each", "gone"), [(240, 6, 0), (6, 2, 0), (2, 1, 1)])
def test_every_class_has_examples_while_there_is_room(make_case, most, each, gone):
    case = make_case(("a", "b", "c"), n=60)
    found = class_examples(case.report, case.features, Album(case.images, {}), most=most)
    assert [strip.count for strip in found.strips] == [each] * (3 - gone)
    assert [strip.name for strip in found.strips] == ["a", "b", "c"][: 3 - gone]
    assert (found.split, found.left_out) == ("test", gone)


def test_sizes_are_those_that_are_seen():
    assert pixel_size(encoded(30, 20)) == (30, 20)
    assert pixel_size(encoded(30, 20, turned=True)) == (20, 30)
    assert pixel_size(np.zeros((5, 7, 3), np.uint8)) == (7, 5)
    with pytest.raises(DecodeError):
        pixel_size(b"no picture")


def test_sizes_are_summed_up_and_placed():
    found = image_sizes({"a": (100, 50), "b": (300, 80), "c": (100, 50), "d": (40, 900)}, of=9, seen=60)
    assert (found.widths, found.heights) == ((40, 100, 300), (50, 65, 900))
    assert (found.read, found.of, found.smaller) == (4, 9, 3)
    assert (found.dots[0].width, found.dots[0].count) == (100, 2)
    assert found.dots[0].radius > found.dots[1].radius
    assert image_sizes({}, of=3, seen=60) is None


def test_a_sample_is_drawn_once_and_says_how_large_it_is(make_case):
    names = [f"{i}" for i in range(1000)]
    drawn = sample_of_ids(names, most=40)
    assert len(set(drawn)) == 40
    assert drawn == sample_of_ids(names, most=40) != names[:40]
    assert sample_of_ids(names, most=1000) == names
    text = " ".join(make_case(("a", "b")).write().split())
    assert "All are 16 x 12 pixels" in text
    assert "All 60 images were looked at" in text


def test_what_was_left_out_is_named(make_case, monkeypatch):
    case = make_case(("a", "b"))
    skipped = tuple({"id": f"bad {i}.jpg", "reason": "truncated"} for i in range(5))
    monkeypatch.setattr(module, "header_of", lambda part: SimpleNamespace(skipped=skipped))
    case.images.left_out = (LeftOut("files that are no images", 2, ("notes.txt", "list.csv")),)
    case.images.notes = ("classes are the names of the folders",)
    lines = left_out(case.features, case.images)
    assert lines[0].startswith(
        "left out of test, because they cannot be used (5 images): bad 0.jpg (truncated)"
    )
    assert lines[0].endswith("and 2 more")
    assert lines[1] == "left out files that are no images (2): notes.txt, list.csv"
    text = case.write()
    assert all(line in text for line in (*lines, *case.images.notes))


def test_that_nothing_was_left_out_is_said_only_where_it_is_known(make_case):
    case = make_case(("a", "b"))
    assert "Nothing, as far as source and features tell" in case.write()
    assert "the source is no longer there" in case.write(images=None)
