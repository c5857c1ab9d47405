"""A sample of a source: a share of every class, none of test, the same ones at every draw."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan
from pipeline.images.source_options import SourceOptions


@pytest.fixture
def table(tmp_path, make_images):
    """40 images of a, 10 of b, 1 of c; every fifth of a is of test, and the last has no label."""
    names = [f"{i}.png" for i in range(52)]
    make_images(tmp_path, *names)
    labels = ["a"] * 40 + ["b"] * 10 + ["c", ""]
    splits = ["test" if i < 40 and i % 5 == 0 else "val" if i % 5 == 1 else "train" for i in range(52)]
    rows = [",".join(row) for row in zip(names, labels, splits, strict=True)]
    (tmp_path / "toy.csv").write_text("\n".join(["file,label,split", *rows]))
    return str(tmp_path / "toy.csv")


NAMED = SourceOptions(path_column="file")


def drawn(table, count):
    return open_images(f"sample:{count}:{table}", NAMED)


def test_every_class_and_split_has_its_share(table):
    items = drawn(table, 22).items()

    counts = Counter((item.label, item.split) for item in items)
    assert counts == {(0, "train"): 12, (0, "val"): 4, (1, "train"): 4, (1, "val"): 1, (2, "train"): 1}


def test_no_image_of_test_and_none_without_a_label_is_drawn(table):
    source = drawn(table, 1000)

    assert len(source.items()) == 43
    assert not [item for item in source.items() if item.split == "test" or item.label < 0]
    assert source.notes == ("a sample of toy: 43 of 43 labelled images, none that is stated to be of test",)


def test_a_larger_sample_holds_the_smaller_one(table):
    samples = [{item.id for item in drawn(table, count).items()} for count in (5, 6, 17, 40)]

    assert [len(sample) for sample in samples] == [5, 6, 17, 40]
    assert all(small < large for small, large in pairwise(samples))


def test_images_that_are_alone_with_their_labels_have_their_share(tmp_path, make_images):
    names = [f"{i}.png" for i in range(120)]
    make_images(tmp_path, *names)
    labels = ["cat;dog"] * 60 + [
        ";".join(f"l{bit}" for bit in range(7) if i >> bit & 1) for i in range(1, 61)
    ]
    rows = [",".join(row) for row in zip(names, labels, strict=True)]
    (tmp_path / "pets.csv").write_text("\n".join(["path,label", *rows]))
    options = SourceOptions(label_separator=";")

    samples = [open_images(f"sample:{n}:{tmp_path}/pets.csv", options) for n in (40, 80)]

    common = [sum(int(item.id[:-4]) < 60 for item in sample.items()) for sample in samples]
    assert 12 <= common[0] <= 28
    assert 30 <= common[1] <= 50
    small, large = ({item.id for item in sample.items()} for sample in samples)
    assert small < large


def test_it_is_called_and_read_as_what_it_is_drawn_from(table):
    whole, source = open_images(table, NAMED), drawn(table, 7)

    assert source.name == "toy-sample-7"
    assert source.uri == f"sample:7:{whole.uri}"
    assert source.classes == whole.classes
    assert [source.read(item) for item in source.items()] == [whole.read(item) for item in source.items()]


def test_splits_that_no_one_states_are_those_of_the_whole():
    whole, some = (scan(open_images(uri)) for uri in ("builtin:digits", "sample:300:builtin:digits"))
    split = {name: part for part, rows in whole.splits.items() for name in rows.ids}

    assert sum(map(len, some.splits.values())) == 300
    assert all(split[name] == part for part, rows in some.splits.items() for name in rows.ids)


def test_an_npz_file_is_drawn_from_as_well(tmp_path):
    np.savez(tmp_path / "toy.npz", x=np.zeros((20, 6, 5, 3), np.uint8), y=np.arange(20) % 2)

    assert len(open_images(f"sample:6:{tmp_path}/toy.npz").items()) == 6


@pytest.mark.parametrize(
    "uri", ["sample:", "sample:0:builtin:digits", "sample:x:builtin:digits", "sample:5:"]
)
def test_other_addresses_are_refused(uri):
    with pytest.raises(UsageError, match=r"sample:500:photos/"):
        open_images(uri)
