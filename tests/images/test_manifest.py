from __future__ import annotations

import os
import pickle
import time
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pipeline.errors import UnreadableImagesError, UsageError
from pipeline.images import BadImage, ImageItem, image_list, open_images, sequences
from pipeline.images.contents import digest
from pipeline.images.image_list import ImageListBuilder, list_images
from pipeline.images.manifest import MisrememberedError, scan
from pipeline.images.stat_cache import Known, Stamps, StatCache


def test_rows_and_items_are_aligned_in_every_split(memory):
    contents = {f"{i}": b"%d" % i for i in range(60)}
    items = [ImageItem(name, i % 2) for i, name in enumerate(contents)]
    manifest = scan(memory(items, contents))
    assert list(manifest.splits) == list(manifest.items) == ["train", "val", "test"]
    assert sum(len(rows) for rows in manifest.splits.values()) == 60
    for split, rows in manifest.splits.items():
        assert rows.labels.dtype == np.int32
        assert rows.digests.dtype == rows.views.dtype == np.uint8
        assert not rows.views.any()
        assert len(rows) == len(manifest.items[split]) == len(rows.ids)
        for i, item in enumerate(manifest.items[split]):
            assert rows.ids[i] == item.id
            assert rows.labels[i] == item.label
            assert rows.digests[i].tobytes() == digest(contents[item.id])


def test_only_splits_with_images_are_listed(memory):
    items = [ImageItem("a", 0, "test"), ImageItem("b", 0, "val")]
    manifest = scan(memory(items, {"a": b"a", "b": b"b"}))
    assert list(manifest.splits) == ["val", "test"]


def test_unreadable_images_are_reported_and_in_no_split(memory):
    items = [ImageItem("a", 0, "test"), ImageItem("b", 0), ImageItem("c", 0, "test")]
    contents = {"a": b"a", "b": OSError(5, "Input/output error"), "c": OSError("not a regular file")}
    manifest = scan(memory(items, contents))
    assert manifest.unreadable == [
        BadImage("b", "Input/output error"),
        BadImage("c", "not a regular file", split="test"),
    ]
    assert {split: rows.ids for split, rows in manifest.splits.items()} == {"test": ["a"]}


def test_a_source_without_any_readable_image_is_refused(memory):
    source = memory([ImageItem("a", 0)], {"a": OSError(2, "No such file or directory")})
    with pytest.raises(UnreadableImagesError, match=r"not one of the 1 image of memory: .*a: No such file"):
        scan(source)


def test_duplicate_ids_are_refused(memory):
    items = [ImageItem("a", 0), ImageItem("b", 0), ImageItem("b", 1)]
    with pytest.raises(UsageError, match="'b' 2 times"):
        scan(memory(items, {"a": b"", "b": b""}))


def test_the_id_that_stands_there_most_often_is_named(memory):
    items = [ImageItem(name, 0) for name in "abcbdcaac"]
    with pytest.raises(UsageError, match="'a' 3 times"):
        scan(memory(items, dict.fromkeys("abcd", b"")))


@pytest.mark.parametrize("kept_bytes", [10**6, 50], ids=["in memory", "in files"])
@pytest.mark.parametrize("bad", [(), (0, 5, 59)], ids=["all readable", "some unreadable"])
def test_nothing_of_an_image_is_lost_on_the_way(bad, kept_bytes, memory, small_shards, monkeypatch):
    monkeypatch.setattr(sequences, "zeros", partial(sequences.zeros, kept_bytes=kept_bytes))
    monkeypatch.setattr(image_list, "ImageListBuilder", partial(ImageListBuilder, kept_bytes=kept_bytes))
    contents = {f"ü{i}": OSError("gone") if i in bad else b"%d" % (i // 2) for i in range(60)}
    items = [
        ImageItem(name, i % 2, "test" if i % 9 == 0 else None, f"g{i // 6}" if i % 4 else None)
        for i, name in enumerate(contents)
    ]
    manifest = scan(memory(items, contents))
    listed = {item.id: item for item in items}
    assert [one.id for one in manifest.unreadable] == [items[i].id for i in bad]
    there = [name for rows in manifest.splits.values() for name in rows.ids]
    assert sorted(there) == sorted(set(contents) - {items[i].id for i in bad})
    for split, rows in manifest.splits.items():
        assert list(rows.ids) == sorted(rows.ids, key=list(contents).index)
        for i, item in enumerate(manifest.items[split]):
            assert item == listed[rows.ids[i]]
            assert rows.groups[i] == (item.group or "")
            assert rows.labels[i] == item.label
            assert rows.digests[i].tobytes() == digest(contents[item.id])


def test_no_object_is_kept_for_an_image(memory):
    count = 10_000  # Python keeps 2,000 tuples of each length for itself
    items = list_images(ImageItem(f"train/{i:09}.jpg", 0, "train") for i in range(count))
    source = memory(items, {})
    source.read = lambda item: item.id.encode()
    tracemalloc.start()
    manifest = scan(source)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(manifest.splits["train"]) + len(manifest.splits["val"]) == count
    assert kept / count < 100


def test_an_empty_source_gives_an_empty_manifest(memory):
    manifest = scan(memory([], {}))
    assert manifest.splits == manifest.items == {}
    assert manifest.unreadable == []


def test_the_second_look_at_a_folder_reads_nothing(make_images, tmp_path, monkeypatch, trusted_disk):
    root = make_images(tmp_path / "pets", *(f"{kind}/{i}.png" for kind in ("cat", "dog") for i in range(20)))
    for file in root.rglob("*.png"):
        os.utime(file, ns=(0, 10**18))
    time.sleep(0.03)  # the clock ticks
    first = scan(open_images(str(root)), tmp_path / "cache" / ".digests.sqlite")
    source = open_images(str(root))
    monkeypatch.setattr(type(source), "read", None)
    second = scan(source, tmp_path / "cache" / ".digests.sqlite")
    assert all(rows.equals(second.splits[split]) for split, rows in first.splits.items())


def test_a_wrong_digest_is_forgotten_once_its_image_is_looked_at_again(make_images, tmp_path, trusted_disk):
    root, cache = make_images(tmp_path / "pets", *(f"test/cat/{i}.png" for i in range(3))), tmp_path / "known"
    for file in root.rglob("*.png"):
        os.utime(file, ns=(0, 10**18))
    time.sleep(0.03)  # the clock ticks
    right = scan(open_images(str(root)), cache)
    with StatCache(cache) as store:
        wrong = root / "test" / "cat" / "1.png"
        store.store([Known(str(wrong), Stamps().of(wrong), bytes(32))])
    manifest = scan(open_images(str(root)), cache)
    rows = manifest.splits["test"]
    taken = {name: digest.tobytes() for name, digest in zip(rows.ids, rows.digests, strict=True)}
    doubtful = next(name for name, digest in taken.items() if digest == bytes(32))
    manifest.look_again({name: digest for name, digest in taken.items() if name != doubtful})
    replace(manifest, looked_again=[doubtful]).look_again(taken)
    replace(manifest, stat_cache=None).look_again(taken)
    with pytest.raises(MisrememberedError) as caught:
        manifest.look_again(taken, lambda: [{"test": 2}])
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # noqa: S301 - our own
        assert (error.ids, error.computed) == ([doubtful], [{"test": 2}])
    assert scan(open_images(str(root)), cache).splits["test"].equals(right.splits["test"])


def test_thousands_of_unchanged_photographs_are_not_read_again(shared, tmp_path, monkeypatch):
    source = open_images(str(shared / "data" / "cats_and_dogs_small"))
    first = scan(source, tmp_path / "digests.sqlite")
    assert {split: len(rows) for split, rows in first.splits.items()} == {
        "train": 2000,
        "val": 1000,
        "test": 1000,
    }
    monkeypatch.setattr(type(source), "read", lambda source, item: pytest.fail(f"{item.id} was read"))
    second = scan(source, tmp_path / "digests.sqlite")
    assert all(rows.equals(second.splits[split]) for split, rows in first.splits.items())
