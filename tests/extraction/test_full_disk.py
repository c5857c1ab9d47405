"""A disk that is full or cannot be written is told in one line, before the first image where it can be."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from counting_engine import FEATURE_SHAPE, CountingEngine
from photos import Photos

from pipeline.cache.format import row_bytes
from pipeline.cache.partial_file import PartialFile
from pipeline.errors import PipelineError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def three_pictures(photos: Photos) -> None:
    photos.add("train/cats", 2)
    photos.add("val/cats")


def test_too_little_room_is_found_before_anything_is_written(
    engine: CountingEngine, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 100))
    with pytest.raises(PipelineError, match=r"the features need .* MB and .* MB free: make room.*--cache"):
        run()
    assert engine.computed == 0
    assert not list(cache.rglob("*.h5*"))


@pytest.mark.parametrize(
    ("options", "rows"), [({}, 3), ({"rows_per_file": 1}, 3), ({"rows_per_file": 1, "views": 2}, 7)]
)
def test_the_room_of_every_cut_and_file_is_needed(
    options: dict[str, int], rows: int, engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = ("block2_pool", "block4_pool")
    needed = len(cuts) * rows * row_bytes(FEATURE_SHAPE, "float16")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, needed - 1))
    with pytest.raises(PipelineError, match="make room"):
        run(layers=cuts, **options)
    assert engine.computed == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, needed))
    run(layers=cuts, **options)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 0))
    assert [one.computed for one in run(layers=cuts, **options)] == [0, 0]


def test_the_size_is_told_before_the_first_image(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**10, 0, 5 * 10**9))
    run()
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    expected = "3 rows of vgg16 block5_pool (3, 4, 3) in float16; 0.0 MB to lay out, 5.0 GB free"
    assert expected in stderr


def test_a_disk_that_fills_while_it_is_reserved(
    engine: CountingEngine, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(PipelineError, match=r"cannot lay out .*: No space left on device.* --cache"):
            run()
    assert engine.computed == 0
    assert not list(cache.rglob("*.h5*"))
    (extraction,) = run()
    assert extraction.entry.splits == ["train", "val"]


def test_a_disk_that_fails_while_it_is_written(
    engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite

    def full(fd: int, data: bytes, offset: int) -> int:
        if len(data) > 60:  # features
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        return write(fd, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(PipelineError, match=r"cannot write .*: Disk quota exceeded.*same command again"):
            run()
    engine.forget()
    (extraction,) = run()
    assert engine.computed == 3
    assert extraction.entry.splits == ["train", "val"]


def test_a_short_write_is_continued(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: write(fd, data[:7], offset))
    (extraction,) = run()
    with PartialFile(extraction.entry.file("train")) as file:
        assert file.done.all()
        assert file.layout.features.any(axis=(1, 2, 3)).all()


def test_a_cache_that_cannot_be_written(engine: CountingEngine, run: Run, cache: Path) -> None:
    cache.write_text("a file where the cache should be")
    with pytest.raises(PipelineError, match=r"cannot write the cache at .*: Not a directory.*--cache"):
        run()
    assert engine.loads == 0
    assert cache.read_text() == "a file where the cache should be"


def test_a_read_only_cache(
    engine: CountingEngine, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: str | Path, flags: int, *mode: int, **options: int) -> int:
        folder = os.readlink(f"/proc/self/fd/{options['dir_fd']}") if "dir_fd" in options else ""
        if flags & os.O_CREAT and Path(folder, path).is_relative_to(cache):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *mode, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PipelineError, match=r"cannot write the cache at .*: Read-only file system"):
        run()
    assert engine.loads == 0
