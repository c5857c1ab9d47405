"""``pipeline extract --executor ray`` as a process: its stdout, Ctrl-C, and clusters that are not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cli_waiting_on_ray
import pytest
from photos import Photos

from pipeline.cache.feature_file import open_feature_file

GONE_WITHIN_S = 20.0


@pytest.fixture
def command(photos: Photos, cache: Path, cluster: ModuleType) -> Iterator[list[str]]:
    """The options of a run over 80 pictures on the cluster of the tests."""
    photos.add("train/cats", 72)
    photos.add("val/cats", 8)
    address = cluster.get_runtime_context().gcs_address
    options = ["extract", "--data", photos.root, "--cache", cache, "--backbone", "pixels", "--image-size", 32]
    options += ["--batch-size", 4, "--executor", "ray", "--workers", 2, "--address", address]
    return [str(option) for option in options]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_finished_rows_and_ends_the_workers(
    number: int, command: list[str], cache: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, cli_waiting_on_ray.__file__, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert workers, process.stderr.read()
        assert all(map(alive, workers))
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.endswith("run the same command to continue\n")
    (partial,) = cache.glob("*/*/train.h5.partial")
    assert open_feature_file(partial).done.sum() == cli_waiting_on_ray.ROWS_A_BLOCK
    deadline = time.monotonic() + GONE_WITHIN_S
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


def test_stdout_is_one_object(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", *command, "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout)["splits"]["train"]["computed"] == 72
    assert "2 workers, each with 1 core" in ended.stderr


def test_a_cluster_that_is_not_there_is_told(command: list[str]) -> None:
    process = [sys.executable, "-m", "pipeline", *command[:-1], "127.0.0.1:1"]
    ended = subprocess.run(process, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("pipeline: no Ray cluster at --address 127.0.0.1:1 (")
