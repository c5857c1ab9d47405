"""The files of a split filled by several processes, or by one after another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cli_counting_steps
from counting_engine import CountingEngine
from interrupter import STAGE
from photos import Photos

from pipeline.cache.entries import read_entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.inspection import verify_cache
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]


def test_processes_share_the_files(
    pictures: Photos, cache: Path, run: Run, tmp_path: Path, assert_complete: Check
) -> None:
    pictures.add("train/cats", 40)
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    command = ["extract", "--data", pictures.root, "--cache", cache, "--batch-size", 4, *STAGE]
    started = [
        subprocess.Popen(
            [
                *map(str, [sys.executable, cli_counting_steps.__file__, "decode", 1, "go on", log, *command]),
                "--rows-per-file",
                "4",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for log in logs
    ]
    for process in started:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    computed = [pixels for log in logs if log.exists() for pixels in log.read_text().split()]
    assert len(computed) == len(set(computed)) == 56
    (extraction,) = run()
    assert_complete(extraction)
    assert not [one for one in verify_cache(cache) if one["problem"] or one["bad_rows"]]
    left = {path.name for path in extraction.entry.folder.iterdir()}
    assert left == {
        *(f"train-{i:05}-of-00013.h5" for i in range(13)),
        "val.h5",
        "test.h5",
        "spec.json",
        ".lock",
    }


def test_a_killed_run_goes_on_with_its_files(
    pictures: Photos, cache: Path, engine: CountingEngine, run: Run, tmp_path: Path, assert_complete: Check
) -> None:
    log = tmp_path / "log"
    command = [sys.executable, cli_counting_steps.__file__, "decode", 60, "hold", log, "extract"]
    command += ["--data", pictures.root, "--cache", cache, "--batch-size", 2, *STAGE, "--rows-per-file", 2]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reached\n"
        process.kill()
    done = sum(int(open_feature_file(path).done.sum()) for path in cache.glob("*/*/*.h5*"))
    (extraction,) = run()
    assert engine.computed == 16 - done
    assert_complete(extraction)
    assert read_entry(extraction.entry.folder).rows_per_file == 2


def test_files_of_another_state_stay_while_somebody_fills_them(
    pictures: Photos, cache: Path, run: Run, tmp_path: Path, assert_complete: Check
) -> None:
    command = [sys.executable, cli_counting_steps.__file__, "decode", 60, "hold", tmp_path / "log", "extract"]
    command += ["--data", pictures.root, "--cache", cache, "--batch-size", 2, *STAGE, "--rows-per-file", 2]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reached\n"
        before = set(cache.glob("*/*/*.h5*"))
        (extraction,) = run(rows_per_file=5)
        assert before <= set(cache.glob("*/*/*.h5*"))
        process.kill()
    (extraction,) = run()
    assert_complete(extraction)
    assert not list(cache.glob("*/*/train-*-of-00006.h5*"))
