"""Disks that are full, read-only or gone: one clear line, nothing published, and it goes on with room."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos
from small_disks import Disk, mounted

from pipeline.cache import open_features, partial_file
from pipeline.errors import PipelineError
from pipeline.extraction import Extraction, filling
from pipeline.heads import load_head, train_head
from pipeline.sweeps import candidates, sweep
from pipeline.sweeps.leaderboard import write_leaderboard

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]
ROWS = 40
BLOCK = 8


@pytest.fixture(autouse=True)
def some_photos(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.add("train/cats", ROWS // 2)
    photos.add("train/dogs", ROWS // 4)
    photos.add("val/cats", ROWS // 4)
    monkeypatch.setattr(filling, "BLOCK_ROWS", BLOCK)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", megabytes=1, inodes=200) as disk:
        yield disk


@pytest.fixture
def cache(disk: Disk) -> Path:
    """The cache stands on the small disk."""
    return disk.root / "features"


def feature_files(cache: Path) -> list[Path]:
    return [*cache.rglob("*.h5*"), *cache.rglob("*.tmp")]


@contextmanager
def short_files(limit: int) -> Iterator[None]:
    """Lets the kernel refuse every byte beyond a place in any file, as a quota or a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def before_batch(engine: CountingEngine, number: int, act: Callable[[], object]) -> None:
    """Acts before the base gets the batch of a number, counted from 1."""
    submit, calls = engine.submit, iter(range(1, 10**6))

    def watched(images: object) -> object:
        if next(calls) == number:
            act()
        return submit(images)

    engine.submit = watched


def test_every_amount_of_room(
    disk: Disk, cache: Path, engine: CountingEngine, run: Run, tell: Callable[[str], None]
) -> None:
    refused = []
    for leave in range(0, 400_000, 12_288):
        disk.fill(leave=leave)
        with suppress(PipelineError):
            (extraction,) = run()
            break
        with pytest.raises(PipelineError) as caught:
            run()
        refused.append(str(caught.value))
        assert caught.value.exit_code == 1
        assert engine.computed == 0
        assert not list(cache.rglob("*.h5"))
        assert not list(cache.rglob("*.tmp"))
        disk.make_room()
    assert extraction.entry.splits == ["train", "val"]
    assert any("cannot lay out" in line and "No space left on device" in line for line in refused)
    assert all("--cache" in line for line in refused), refused
    tell(f"{len(refused)} refusals before the first image, then whole with {leave / 1e3:.0f} KB")


def test_a_disk_that_fills_after_the_layout_matters_no_more(
    disk: Disk, engine: CountingEngine, run: Run
) -> None:
    before_batch(engine, 2, disk.fill)
    (extraction,) = run()
    assert disk.free <= 2 * 4096  # the locks of two files, which are gone
    assert extraction.entry.splits == ["train", "val"]


def test_no_room_to_publish(
    disk: Disk, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    run()
    (older,) = disk.root.glob("features/*/*/train.h5")
    before = older.read_bytes()
    photos.files("train")[0].unlink()  # so the older file must be kept under another name
    photos.add("train/cats")
    engine.forget()
    before_batch(engine, 1, disk.fill_inodes)
    with pytest.raises(
        PipelineError, match=r"cannot write the cache at .*: No space left.*same command again"
    ):
        run()
    assert older.read_bytes() == before
    assert engine.computed == 1
    disk.make_room()
    engine.forget()
    (extraction,) = run()
    assert engine.computed == 0
    assert_complete(extraction)
    assert len(extraction.entry.retired()) == 1


def test_a_read_only_disk(disk: Disk, cache: Path, engine: CountingEngine, run: Run, photos: Photos) -> None:
    (extraction,) = run()
    photos.add("val/dogs")
    engine.forget()
    disk.remount("ro")
    with pytest.raises(PipelineError, match=r"cannot write the cache at .*: Read-only file system.*--cache"):
        run()
    assert engine.computed == 0
    assert len(open_features(extraction.entry, "train").to_memory()) == ROWS - ROWS // 4
    disk.remount("rw")
    run()
    assert engine.computed == 1


def test_a_head_that_does_not_fit(disk: Disk, run: Run) -> None:
    (extraction,) = run()
    train = open_features(extraction.entry, "train")
    runs = disk.root / "runs"
    older = train_head("prototype", train, None, runs=runs)
    disk.fill()
    with pytest.raises(PipelineError, match=r"cannot save the trained head .*: No space left.*--runs"):
        train_head("prototype", train, None, runs=runs)
    disk.make_room()
    assert load_head(older.folder).train_rows == older.train_rows
    assert [path.name for path in older.folder.parent.iterdir()] == ["prototype"]


def test_a_sweep_that_does_not_fit(disk: Disk, run: Run) -> None:
    (extraction,) = run(pooling="none")
    train, val = (open_features(extraction.entry, split) for split in ("train", "val"))
    disk.fill()
    wanted = candidates([("prototype", {}), ("knn", {"k": ["1", "3"]})])
    with pytest.raises(PipelineError, match=r"cannot write the sweep to .*: No space left.*--resume.*--runs"):
        sweep(wanted, train, val, runs=disk.root / "runs")
    assert not list(disk.root.rglob("*.tmp"))
    disk.make_room()
    board = sweep(wanted, train, val, runs=disk.root / "runs", resume=True)
    assert len(board.results) == 3
    assert all(path.is_file() for path in write_leaderboard(board))


class TestOnAnyDisk:
    """Faults that need no disk of their own."""

    @pytest.fixture
    def cache(self, tmp_path: Path) -> Path:
        return tmp_path / "features"

    def test_bytes_refused_while_it_is_filled(
        self, cache: Path, engine: CountingEngine, run: Run, assert_complete: Check
    ) -> None:
        with short_files(50_000), pytest.raises(PipelineError, match=r"cannot .*: File too large"):
            run()
        assert not feature_files(cache)
        with ExitStack() as later:
            before_batch(engine, 6, lambda: later.enter_context(short_files(4096)))
            with pytest.raises(PipelineError, match=r"cannot write .*: File too large.*again"):
                run()
        assert not list(cache.rglob("*.h5"))
        engine.forget()
        del engine.submit
        (extraction,) = run()
        assert engine.computed <= ROWS - BLOCK
        assert_complete(extraction)

    @pytest.mark.parametrize("batch", [1, 4, ROWS // 4])
    def test_a_cache_removed_while_it_is_filled(
        self, batch: int, cache: Path, engine: CountingEngine, run: Run, assert_complete: Check
    ) -> None:
        before_batch(engine, batch, lambda: shutil.rmtree(cache))
        with pytest.raises(PipelineError, match=r"was removed while it was being filled: run the same"):
            run()
        assert not cache.exists()
        del engine.submit
        assert_complete(run()[0])

    def test_a_file_in_the_place_of_another_is_not_published(
        self, cache: Path, engine: CountingEngine, run: Run
    ) -> None:
        def swap() -> None:
            (partial,) = cache.rglob("val.h5.partial")
            shutil.copy(partial, f"{partial}.tmp")
            os.replace(f"{partial}.tmp", partial)

        before_batch(engine, ROWS // 4, swap)
        with pytest.raises(PipelineError, match=r"val.h5.partial was removed while it was being filled"):
            run()
        assert not list(cache.rglob("*.h5"))

    def test_a_disk_that_turns_read_only(
        self, engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The kernel refuses to remount while a file is open for writing: here the call itself fails."""

        def refuse(file: int) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        with monkeypatch.context() as patch:
            patch.setattr(partial_file, "_flush", refuse)
            with pytest.raises(PipelineError, match=r"cannot write .*: Read-only file system"):
                run()
        engine.forget()
        run()
        assert engine.computed == ROWS
