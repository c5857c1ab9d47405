from __future__ import annotations

import gc
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.images import SPLITS, ImageItem
from pipeline.images.image_list import ImageList, ImageListBuilder, list_images

ROOT = Path("/data/pets")


def draw(count, seed=0):
    """Draws images with all that an image may have, and without."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    items = []
    for i in range(count):
        name = f"train/ü{i}.png"
        path = rng.choice([None, ROOT / name, ROOT / f"caf\udce9{i}", Path("elsewhere") / name])
        items.append(
            ImageItem(
                name,
                rng.randrange(-1, 300),
                rng.choice([None, *SPLITS]),
                rng.choice([None, "", "a", f"patient {i // 3}"]),
                path,
                rng.choice([None, "", f"v{i}"]),
            )
        )
    return items


def add(builder, item):
    path = None if item.path is None else os.fspath(item.path)
    builder.add(item.id, item.label, split=item.split, group=item.group, path=path, version=item.version)


def travel(sequence):
    """Sends a sequence to another process and back."""
    return pickle.loads(pickle.dumps(sequence))  # noqa: S301 - made on the line itself


@pytest.fixture(params=["in memory", "in shards", "in a file"])
def make(request, tmp_path):
    """Lists images in one of the ways that depend on how many there are."""
    if request.param != "in memory":
        request.getfixturevalue("small_shards")
    spilled = request.param == "in a file"

    def make(items, **options):
        builder = ImageListBuilder(root=ROOT, kept_bytes=300 if spilled else 10**9, folder=tmp_path)
        for item in items:
            add(builder, item)
        assert len(builder) == len(items)
        return builder.finish(**options)

    return make


def test_images_come_back_as_they_were(make):
    items = draw(60)
    listed = make(items)
    assert listed == items
    assert list(listed) == [listed[i] for i in range(60)] == items
    assert listed[-1] == items[-1]
    assert listed.ids == [item.id for item in items]
    assert listed.labels.dtype == np.int32
    assert listed.labels.tolist() == [item.label for item in items]
    assert listed.splits.tolist() == [SPLITS.index(item.split) if item.split else -1 for item in items]
    assert listed.groups == [item.group or "" for item in items]
    assert (listed.groups.codes < 0).tolist() == [item.group is None for item in items]
    assert listed.versioned.tolist() == [item.version is not None for item in items]


@pytest.mark.parametrize("index", [slice(10, 33), slice(None, None, -2), [3, 50, 3, 0], range(20, 45)])
def test_a_part_holds_its_own_images_and_travels_without_the_rest(index, make):
    items = draw(60)
    expected = [items[i] for i in (range(60)[index] if isinstance(index, slice) else index)]
    part = make(items)[index]
    assert part == expected
    assert part.ids == [item.id for item in expected]
    assert part.labels.tolist() == [item.label for item in expected]
    assert part.groups == [item.group or "" for item in expected]
    travelled = travel(part)
    assert travelled == expected
    assert travelled[1:].ids == [item.id for item in expected[1:]]
    few = make([ImageItem(f"{i:0500}", 0) for i in range(60)])[5:7]
    assert len(pickle.dumps(few)) < 10_000


def test_no_images_at_all(make):
    empty = make([])
    assert empty == [] == travel(empty)
    assert empty.ids == empty.groups == []
    assert empty.labels.dtype == np.int32
    assert len(empty.labels) == len(empty.splits) == len(empty.versioned) == 0
    assert list_images([]) == []


def test_the_meaning_of_labels_may_come_last(make):
    items = [ImageItem(str(i), i % 4 - 1) for i in range(30)]
    listed = make(items, labels=[2, 0, 1])
    assert listed.labels.tolist() == [[-1, 2, 0, 1][i % 4] for i in range(30)]
    assert [item.label for item in listed] == listed.labels.tolist()
    assert travel(listed) == listed
    assert travel(listed[3:]) == listed[3:]


def test_parts_can_be_joined(make):
    items = draw(60)
    listed = make(items)
    parts = [listed[20:], listed[:10], listed[[4, 4]]]
    assert ImageList.joined(parts) == items[20:] + items[:10] + [items[4]] * 2
    with pytest.raises(ValueError, match="several lists"):
        ImageList.joined([listed, make(items)])


def test_a_split_that_is_none_is_refused(make):
    with pytest.raises(ValueError, match=r"'a\.png' has the split 'holdout': choose from train, val, test"):
        make([ImageItem("a.png", 0, "holdout")])


def test_a_list_that_is_one_already_stays_what_it_is():
    listed = list_images(draw(3))
    assert list_images(listed) is listed


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are listed in /proc")


def _temporary_files(folder):
    return [link for fd in os.listdir("/proc/self/fd") if (link := _target(fd)).startswith(str(folder))]


def _target(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return ""


@needs_proc
def test_the_file_has_no_name_and_is_gone_with_the_last_part(small_shards, tmp_path):
    builder = ImageListBuilder(kept_bytes=300, folder=tmp_path)
    items = draw(100)
    for item in items:
        add(builder, item)
    listed = builder.finish()
    del builder
    assert os.listdir(tmp_path) == []
    assert len(_temporary_files(tmp_path)) == 1
    part = listed[50:]
    del listed
    gc.collect()
    assert part == items[50:]
    assert len(_temporary_files(tmp_path)) == 1
    ids = part.ids
    del part
    assert ids == [item.id for item in items[50:]]
    del ids
    gc.collect()
    assert _temporary_files(tmp_path) == []


@needs_proc
def test_a_list_that_is_given_up_leaves_no_file_open(small_shards, tmp_path):
    builder = ImageListBuilder(kept_bytes=300, folder=tmp_path)
    for item in draw(50):
        add(builder, item)
    assert len(_temporary_files(tmp_path)) == 1
    del builder
    gc.collect()  # an open file would be warned of
    assert _temporary_files(tmp_path) == []


def test_a_file_that_cannot_be_written_leaves_the_list_in_memory(small_shards, tmp_path, capsys):
    builder = ImageListBuilder(kept_bytes=300, folder=tmp_path / "nowhere")
    items = draw(50)
    for item in items:
        add(builder, item)
    assert builder.finish() == items
    message = capsys.readouterr().err
    assert message.count("note: the list of images stays in memory: ") == 1
    assert "nowhere" in message


def test_a_disk_that_fills_up_keeps_what_was_written(small_shards, tmp_path, capsys):
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    builder = ImageListBuilder(kept_bytes=300, folder=tmp_path)
    items = draw(200)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        for item in items:
            add(builder, item)
        listed = builder.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert listed == items
    assert "stays in memory: [Errno 27]" in capsys.readouterr().err
