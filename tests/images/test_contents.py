from __future__ import annotations

import hashlib
import os
import time
from collections import Counter

import numpy as np
import pytest

from pipeline.images import ImageItem, file_systems
from pipeline.images import contents as contents_module
from pipeline.images.contents import digest, digest_items
from pipeline.images.sources._files import FileSource


def source_of(folder):
    """A source over all files of a folder, whose reads are counted."""

    class Counting(FileSource):
        def read(self, item):
            reads.append(item.id)
            return super().read(item)

    reads: list[str] = []
    items = [ImageItem(path.name, 0, path=path) for path in sorted(folder.iterdir())]
    return Counting(str(folder), "toy", (), (), items), reads


SETTLED_S = 0.03  # after which a later change is bound to show


@pytest.fixture
def folder(tmp_path, trusted_disk):
    """Five files, last written to long ago."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(5):
        path = folder / f"{i}.png"
        path.write_bytes(bytes([i]) * 9)
        os.utime(path, ns=(0, 10**18))
    time.sleep(SETTLED_S)
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "digests.sqlite"


def expected(folder):
    return [hashlib.sha256(path.read_bytes()).digest() for path in sorted(folder.iterdir())]


def test_files_are_known_by_their_bytes():
    assert digest(b"abc") == hashlib.sha256(b"abc").digest()


def test_arrays_are_known_by_their_dtype_shape_and_bytes():
    pixels = np.arange(24, dtype=np.uint8)
    shapes = [pixels.reshape(shape) for shape in ((4, 6), (6, 4), (2, 4, 3), (24,))]
    others = [pixels.view(np.int8), pixels[::-1], np.zeros_like(pixels)]
    assert len({digest(array) for array in [*shapes, *others]} | {digest(b"")}) == 8
    assert digest(pixels.reshape(4, 6).T) == digest(np.ascontiguousarray(pixels.reshape(4, 6).T))


def test_unchanged_files_are_read_once(folder, cache):
    source, reads = source_of(folder)
    for _ in range(3):
        result, failures = digest_items(source, source.items(), stat_cache=cache)
        assert [row.tobytes() for row in result] == expected(folder)
        assert not failures
    assert sorted(reads) == [f"{i}.png" for i in range(5)]


def test_only_the_changed_file_is_read_again(folder, cache):
    source, reads = source_of(folder)
    digest_items(source, source.items(), stat_cache=cache)
    reads.clear()
    (folder / "3.png").write_bytes(b"x" * 9)  # of the same size
    os.utime(folder / "3.png", ns=(0, 10**18))
    result, _ = digest_items(source, source.items(), stat_cache=cache)
    assert reads == ["3.png"]
    assert [row.tobytes() for row in result] == expected(folder)


@pytest.mark.parametrize("kind", ["squashfs", "vfat", "fuse.sshfs", "tmpfs", "of next year"])
def test_where_change_times_cannot_be_relied_on_every_file_is_read(kind, folder, cache, monkeypatch):
    mount = file_systems.Mount(folder.stat().st_dev, "/", kind, "/dev/loop0", "")
    monkeypatch.setattr(file_systems, "read_mounts", lambda: [mount])
    source, reads = source_of(folder)
    for _ in range(2):
        digest_items(source, source.items(), stat_cache=cache)
    assert len(reads) == 10


def test_another_file_system_at_the_same_place_is_read_anew(folder, cache, monkeypatch):
    source, reads = source_of(folder)
    digest_items(source, source.items(), stat_cache=cache)
    mount = file_systems.Mount(folder.stat().st_dev, "/", "ext4", "/dev/vdb", "")
    monkeypatch.setattr(file_systems, "read_mounts", lambda: [mount])
    for _ in range(2):
        digest_items(source, source.items(), stat_cache=cache)
    assert len(reads) == 10


def test_a_second_run_asks_once_for_each_file_and_once_for_the_file_system(folder, cache, monkeypatch):
    for i in range(4000):
        (folder / f"more{i}.png").write_bytes(b"x")
        os.utime(folder / f"more{i}.png", ns=(0, 10**18))
    time.sleep(SETTLED_S)
    source, reads = source_of(folder)
    items = source.items()
    digest_items(source, items, stat_cache=cache)
    reads.clear()
    asked = Counter()
    for name in ("stat", "lstat", "statvfs", "open", "readlink"):
        call = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, n=name, c=call, **kw: asked.update([n]) or c(*args, **kw))
    digest_items(source, items, stat_cache=cache)
    assert reads == []
    assert 4005 <= asked["stat"] <= 4020  # a few more are for the database and its neighbours
    assert asked["statvfs"] == 1
    assert sum(asked.values()) < 4100


def test_files_changed_a_moment_ago_are_not_trusted(folder, cache):
    source, reads = source_of(folder)
    (folder / "1.png").write_bytes(b"new")
    digest_items(source, source.items(), stat_cache=cache)
    reads.clear()
    digest_items(source, source.items(), stat_cache=cache)
    assert reads == ["1.png"]


def test_a_file_that_changes_while_it_is_read_is_not_trusted(folder, cache):
    source, reads = source_of(folder)
    read = type(source).read

    def change_before(self, item):
        if item.id == "2.png":
            item.path.write_bytes(b"changed!!")
            os.utime(item.path, ns=(0, 10**18 + 7))
        return read(self, item)

    type(source).read = change_before
    digest_items(source, source.items(), stat_cache=cache)
    type(source).read = read
    reads.clear()
    result, _ = digest_items(source, source.items(), stat_cache=cache)
    assert reads == ["2.png"]
    assert [row.tobytes() for row in result] == expected(folder)


def test_files_that_cannot_be_read_are_named_with_a_reason(folder):
    source, _ = source_of(folder)
    (folder / "0.png").unlink()
    (folder / "1.png").unlink()
    (folder / "1.png").mkdir()
    (folder / "2.png").unlink()
    os.mkfifo(folder / "2.png")
    result, failures = digest_items(source, source.items())
    assert failures == {0: "No such file or directory", 1: "not a regular file", 2: "not a regular file"}
    assert not result[:3].any()
    assert result[3:].any(axis=1).all()


def test_overlong_files_are_refused_unread(folder):
    source, _ = source_of(folder)
    os.truncate(folder / "4.png", 2**30 + 1)
    _, failures = digest_items(source, source.items())
    assert "more than the limit of 1,073,741,824" in failures[4]


def test_names_that_are_no_text_work(folder, cache):
    path = folder / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"coffee")
    os.utime(path, ns=(0, 10**18))
    time.sleep(SETTLED_S)
    source, reads = source_of(folder)
    for _ in range(2):
        result, failures = digest_items(source, source.items(), stat_cache=cache)
        assert [row.tobytes() for row in result] == expected(folder)
    assert not failures
    assert len(reads) == 6


def test_arrays_in_memory_need_no_stat_cache(memory, cache):
    contents = {f"array[{i}]": np.full((2, 2), i, np.uint8) for i in range(3)}
    source = memory([ImageItem(name, 0) for name in contents], contents)
    result, failures = digest_items(source, source.items(), stat_cache=cache)
    assert [row.tobytes() for row in result] == [digest(array) for array in contents.values()]
    assert not failures
    assert not cache.exists()


def test_blocks_and_tasks_keep_every_digest_in_its_place(memory, monkeypatch):
    monkeypatch.setattr(contents_module, "_BLOCK", 7)
    monkeypatch.setattr(contents_module, "_TASK", 3)
    contents = {f"{i}": OSError("gone") if i % 5 == 0 else b"%d" % i for i in range(40)}
    source = memory([ImageItem(name, 0) for name in contents], contents)
    result, failures = digest_items(source, source.items())
    assert list(failures) == list(range(0, 40, 5))
    for i in set(range(40)) - failures.keys():
        assert result[i].tobytes() == digest(b"%d" % i)


def test_long_work_shows_progress(memory, monkeypatch, capsys):
    monkeypatch.setattr(contents_module, "_LONG", 1)
    monkeypatch.setattr(contents_module, "_TASK", 1)
    monkeypatch.setattr("pipeline.progress.PLAIN_INTERVAL_S", 0)
    contents = {f"{i}": b"x" for i in range(3)}
    source = memory([ImageItem(name, 0) for name in contents], contents)
    digest_items(source, source.items())
    assert "reading images: 1/3 images" in capsys.readouterr().err


def test_no_images_have_no_digests(memory):
    result, failures = digest_items(memory([], {}), [])
    assert result.shape == (0, 32)
    assert not failures
