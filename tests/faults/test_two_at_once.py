"""Several processes at the same entry, data set or cache: they wait for each other, and never mix rows."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import cli_counting_steps
import numpy as np
import pytest
from counting_engine import CountingEngine, expected_row
from interrupter import STAGE
from photos import Photos

from pipeline.cache import locks, open_features
from pipeline.cache.entries import Entry
from pipeline.cache.finding import all_entries
from pipeline.cache.inspection import remove, summaries, verify_cache
from pipeline.cache.locks import fill_lock, shared_lock
from pipeline.errors import PipelineError, UsageError
from pipeline.extraction import STAT_CACHE, Extraction
from pipeline.extraction.engines import keras as engine_module
from pipeline.images.stat_cache import TABLE, Stamps

Run = Callable[..., list[Extraction]]
TRAIN, VAL = 40, 12
SEED = 22


@dataclass
class Process:
    """A command that runs beside others.

    Attributes:
        popen: Its process.
        log: Where it notes what it computes.
    """

    popen: subprocess.Popen[str]
    log: Path

    def end(self) -> str:
        """Waits until it has succeeded and returns what it said."""
        _, stderr = self.popen.communicate(timeout=120)
        assert self.popen.returncode == 0, stderr
        return stderr

    @property
    def computed(self) -> list[str]:
        """SHA-256 of the pixels of every image that it computed."""
        return self.log.read_text().split()


@pytest.fixture
def start(photos: Photos, cache: Path, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts ``pipeline extract`` with more options; it says ``reached`` when it decodes the first image."""
    photos.add("train/cats", TRAIN)
    photos.add("val/cats", VAL)
    for path in photos.root.glob("*/*/*"):
        os.utime(path, (1e9, 1e9))  # old enough for the stat cache
    with ExitStack() as started:

        def start(*options: object, name: str = "decode") -> Process:
            log = tmp_path / f"{time.monotonic_ns()}.log"
            command = [sys.executable, cli_counting_steps.__file__, name, 1, "go on", log, "extract"]
            command += ["--data", photos.root, "--cache", cache, "--batch-size", 4, *STAGE, *options]
            popen = started.enter_context(
                subprocess.Popen(
                    [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            started.callback(popen.kill)
            return Process(popen, log)

        yield start


def assert_right(photos: Photos, cache: Path, *, entries: int) -> None:
    """Asserts that so many entries are complete, each row beside its own features, and no other file."""
    found = all_entries(cache)
    assert len(found) == entries
    for entry in found:
        for split in ("train", "val"):
            features = open_features(entry, split)
            files = [photos.root / name for name in features.rows.ids]
            assert files == photos.files(split)
            expected = np.array([expected_row(path, entry.spec.layer) for path in files])
            np.testing.assert_array_equal(features.to_memory(), expected.astype(entry.spec.store))
        left = {path.name for path in entry.folder.iterdir()}
        assert left == {"train.h5", "val.h5", "spec.json", ".lock"}
    assert not any(finding["problem"] or finding["bad_rows"] for finding in verify_cache(cache))


@pytest.mark.parametrize("processes", [3, pytest.param(12, marks=pytest.mark.torture)])
def test_one_entry(
    processes: int,
    start: Callable[..., Process],
    photos: Photos,
    cache: Path,
    tell: Callable[[str], None],
) -> None:
    started = [start() for _ in range(processes)]
    said = [process.end() for process in started]
    computed = [pixels for process in started for pixels in process.computed]
    assert len(computed) == len(set(computed)) == TRAIN + VAL
    assert_right(photos, cache, entries=1)
    waited = sum("waiting: " in stderr for stderr in said)
    tell(f"{processes} processes, {waited} waited, {len(computed)} rows computed once each")


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.torture)])
def test_several_specs_in_any_order(
    rounds: int, start: Callable[..., Process], photos: Photos, cache: Path, tell: Callable[[str], None]
) -> None:
    layers = ("block3_pool", "block4_pool", "block5_pool")
    for number in range(rounds):
        orders = (layers[:2], layers[1::-1], layers[2:])
        for process in [start(*(word for layer in order for word in ("--layer", layer))) for order in orders]:
            process.end()
        assert_right(photos, cache, entries=3)
        with closing(sqlite3.connect(cache / STAT_CACHE)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            kept = TRAIN + VAL if Stamps().of(photos.files("train")[0]) else 0  # by the disk it runs on
            assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (kept,)  # noqa: S608 - a constant
        if number + 1 < rounds:
            shutil.rmtree(cache)
    tell(f"{rounds} times three processes and three entries, locked in opposite orders: no deadlock")


def test_a_split_that_grows_meanwhile(start: Callable[..., Process], photos: Photos, cache: Path) -> None:
    first = start()
    assert first.popen.stdout.readline() == "reached\n"
    photos.add("val/cats", 3)
    second = start()
    first.end()
    second.end()
    computed = first.computed + second.computed
    assert len(computed) == len(set(computed)) == TRAIN + VAL + 3
    assert_right(photos, cache, entries=1)


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.torture)])
def test_reading_while_it_is_published(
    seconds: int, start: object, photos: Photos, cache: Path, run: Run, tell: Callable[[str], None]
) -> None:
    (extraction,) = run()
    moving = photos.files("train")[:5]
    expected = {path.name: expected_row(path).astype("float16") for path in photos.root.glob("*/*/*")}
    ended = threading.Event()
    published = [0]

    def publish() -> None:
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until and not ended.is_set():
                for path in moving:  # there and back
                    source, target = path, photos.root / "val" / "cats" / path.name
                    if target.exists():
                        source, target = target, source
                    source.rename(target)
                run()
                published[0] += 1
        finally:
            ended.set()

    publishing = threading.Thread(target=publish)
    publishing.start()
    read = 0
    try:
        while not ended.is_set():
            (summary,) = summaries(cache)
            assert set(summary["rows"]) == {"train", "val"}
            assert not [one for one in verify_cache(cache) if one["problem"] or one["bad_rows"]]
            for split in ("train", "val"):
                features = open_features(extraction.entry, split)
                for name, row in zip(features.rows.ids, features.to_memory(), strict=True):
                    np.testing.assert_array_equal(row, expected[Path(name).name])
                read += 1
    finally:
        ended.set()
        publishing.join()
    tell(f"published {published[0]} times, read {read} times: no row of another image, no error")


@pytest.mark.parametrize("turns", [25, pytest.param(2000, marks=pytest.mark.torture)])
def test_removing_while_others_wait_for_the_lock(
    turns: int,
    start: object,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str], None],
) -> None:
    monkeypatch.setattr(locks, "POLL_S", 0.0005)
    monkeypatch.setattr(locks, "say", lambda message: None)
    entry: Entry = run()[0].entry
    inside, most, removed = [], [0], [0]

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - chosen for the test, not for a secret
        for _ in range(turns):
            if chance.random() < 0.5:
                with suppress(PipelineError):  # somebody is at work in it
                    remove(entry)
                    removed[0] += 1
            with shared_lock([entry.folder]), fill_lock([entry.file("train")]):
                inside.append(seed)
                most[0] = max(most[0], len(inside))
                (entry.folder / "train.h5").write_text(str(seed))
                time.sleep(chance.uniform(0, 0.001))
                assert (entry.folder / "train.h5").read_text() == str(seed)
                inside.remove(seed)
            time.sleep(chance.uniform(0, 0.01))  # so that now and then somebody is alone

    failures: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: failures.append(failure.exc_value))
    threads = [threading.Thread(target=work, args=(SEED + number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert most == [1]
    assert removed[0] > 0
    tell(f"{4 * turns} turns of four, {removed[0]} removals: never two fillers")


@pytest.mark.parametrize("holder", ['{"pid": 4194304, "host": "here"}', '{"pid": 1, "host": "elsewhere"}'])
def test_the_lock_file_of_a_dead_process_or_another_host(
    holder: str, start: object, photos: Photos, cache: Path, run: Run, engine: CountingEngine
) -> None:
    run()
    (file,) = cache.glob("*/*/.lock")
    file.write_text(holder)
    photos.add("train/cats")
    run()
    assert engine.computed == TRAIN + VAL + 1


def test_a_request_that_fails_leaves_no_folder(
    start: object,
    photos: Photos,
    cache: Path,
    run: Run,
    trusted_disk: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("unknown layer 'block5_pol'")

    time.sleep(0.1)  # until a later change of the pictures is bound to show
    assert Stamps().of(photos.files("val")[-1])

    monkeypatch.setattr(engine_module, "load", refuse)
    with pytest.raises(UsageError, match="unknown layer"):
        run(layers=("block5_pol",))
    assert [path.name for path in cache.iterdir()] == [STAT_CACHE]
