"""Whatever stops stage one, the next run continues it: nothing that was done is lost or done again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cli_halting_at_moments
import numpy as np
import pytest
from counting_engine import BACKBONE, SIDE, CountingEngine, expected_row
from photos import Photos

from pipeline import stopping
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import FeatureFile
from pipeline.cache.inspection import verify_cache
from pipeline.cache.partial_file import PartialFile
from pipeline.cache.writer import EntryWriter
from pipeline.extraction import Extraction

BATCH = 4
ROWS = {"train": 18, "val": 6}
DURABLE = {
    "before the layout": 0,
    "between two layouts": 0,
    "before the first batch": 0,
    "in the middle of a block": 8,
    "in the middle of a write": 8,
    "between features and checksums": 8,
    "before the rows are done": 8,
    "between two blocks": 8,
    "before publishing": 24,
    "between two splits": 24,
}
"""Rows that a kill leaves, by its moment."""

Halt = Callable[[str], subprocess.Popen[str]]
Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


@pytest.fixture
def halted(photos: Photos, cache: Path) -> Iterator[Halt]:
    """Starts a run over new photographs that halts at a moment, and waits until it has."""
    with ExitStack() as started:

        def start(moment: str) -> subprocess.Popen[str]:
            for split, count in ROWS.items():
                photos.add(f"{split}/cats", count)
            options = ["--data", photos.root, "--cache", cache, "--batch-size", BATCH, "--image-size", SIDE]
            options += ["--backbone", BACKBONE["backbone"], "--weights", BACKBONE["weights"]]
            options += ["--engine", BACKBONE["engine"]]
            command = [sys.executable, cli_halting_at_moments.__file__, moment, "extract", *map(str, options)]
            process = started.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            started.callback(process.kill)
            assert process.stdout.readline() == "halted\n", process.stderr.read()
            return process

        yield start


def filled(cache: Path) -> list[FeatureFile]:
    """Opens all feature files, finished or not."""
    return [open_feature_file(path) for path in cache.glob("*/*/*.h5*") if path.suffix != ".tmp"]


def done_rows(cache: Path) -> dict[str, np.ndarray]:
    """Reads the done rows by image."""
    return {
        layout.rows.ids[row]: layout.features[row].copy()
        for layout in filled(cache)
        for row in np.flatnonzero(layout.done)
    }


@pytest.mark.parametrize("moment", cli_halting_at_moments.MOMENTS)
def test_a_killed_run_is_continued(
    moment: str,
    halted: Halt,
    photos: Photos,
    cache: Path,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
) -> None:
    process = halted(moment)
    process.kill()
    process.wait()
    before = done_rows(cache)
    assert len(before) == DURABLE[moment]  # a kill costs at most a block and the batch in flight
    for name, row in before.items():
        np.testing.assert_array_equal(row, expected_row(photos.root / name))

    (extraction,) = run()

    assert engine.computed == sum(ROWS.values()) - len(before)
    assert_complete(extraction)
    after = done_rows(cache)
    assert all(row.tobytes() == after[name].tobytes() for name, row in before.items())
    assert not any(finding["problem"] or finding["bad_rows"] for finding in verify_cache(cache))
    left = {path.name for path in extraction.entry.folder.iterdir()}
    assert left == {"train.h5", "val.h5", "spec.json", ".lock"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["in the middle of a block", "before publishing"])
def test_an_interrupt_keeps_what_is_written_and_says_how_to_go_on(
    number: int, moment: str, halted: Halt, cache: Path, engine: CountingEngine, run: Run
) -> None:
    process = halted(moment)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert stderr.endswith(
        "pipeline: stopped. Whatever was finished is kept; run the same command to continue\n"
    )
    kept = len(done_rows(cache))
    assert kept == (2 * BATCH if moment == "in the middle of a block" else sum(ROWS.values()))
    run()
    assert engine.computed == sum(ROWS.values()) - kept


def test_what_is_written_can_be_kept_while_native_code_holds_the_main_thread(
    photos: Photos, cache: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.add("train/cats", 6)
    photos.add("val/cats", 3)
    write, kept = PartialFile.write, []

    def stopped(writer: PartialFile, rows: np.ndarray, features: np.ndarray) -> None:
        write(writer, rows, features)
        for keep in stopping._kept:  # as where a second thread ends the process
            keep()
        kept.append(sum(len(np.flatnonzero(layout.done)) for layout in filled(cache)))

    monkeypatch.setattr(PartialFile, "write", stopped)
    run()
    assert kept == [4, 6, 8, 9]  # the second batch goes to both files
    assert not stopping._kept


def test_a_partial_file_is_continued_in_place(
    halted: Halt, cache: Path, run: Run, assert_complete: Check
) -> None:
    process = halted("between two blocks")
    process.kill()
    process.wait()
    places = {
        layout.path.name.removesuffix(".partial"): layout.path.stat().st_ino for layout in filled(cache)
    }
    (extraction,) = run()
    assert {layout.path.name: layout.path.stat().st_ino for layout in filled(cache)} == places
    assert_complete(extraction)


def test_a_partial_file_for_other_rows_is_copied_from(
    halted: Halt, photos: Photos, engine: CountingEngine, run: Run, cache: Path, assert_complete: Check
) -> None:
    process = halted("between two blocks")
    process.kill()
    process.wait()
    kept = len(done_rows(cache))
    photos.add("train/cats")
    (extraction,) = run()
    assert engine.computed == sum(ROWS.values()) + 1 - kept
    assert extraction.entry.retired() == []
    assert_complete(extraction)


def test_an_interrupt_before_the_copying_loses_nothing(
    halted: Halt,
    photos: Photos,
    cache: Path,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = halted("between two blocks")
    process.kill()
    process.wait()
    kept = len(done_rows(cache))
    photos.add("train/cats")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EntryWriter, "copy", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run()
    (extraction,) = run()
    assert engine.computed == sum(ROWS.values()) + 1 - kept
    assert extraction.entry.retired() == []
    assert_complete(extraction)


def test_a_partial_file_with_a_damaged_row_is_mended(
    halted: Halt, engine: CountingEngine, cache: Path, run: Run, assert_complete: Check
) -> None:
    process = halted("between two blocks")
    process.kill()
    process.wait()
    (train,) = (layout for layout in filled(cache) if layout.header.split == "train")
    with open(train.path, "r+b") as file:
        file.seek(train.offsets["features"])
        file.write(b"\xff\x01")
    (extraction,) = run()
    assert engine.computed == sum(ROWS.values()) - 7
    assert_complete(extraction)
