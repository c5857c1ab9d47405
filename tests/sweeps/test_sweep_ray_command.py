"""``pipeline sweep --executor ray`` as a process: its stdout, Ctrl-C, going on, and what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from photos import Photos
from ray_processes import fitting

from pipeline.cli import main
from pipeline.extraction import FeatureRequest, extract

GONE_WITHIN_S = 20.0


@pytest.fixture
def command(photos: Photos, cache: Path, cluster: ModuleType, tmp_path: Path) -> list[str]:
    """A sweep over features of 24 pictures on the cluster of the tests, apart from its heads."""
    for split in ("train", "val"):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", 6)
    extract(str(photos.root), FeatureRequest(backbone="pixels", image_size=8), cache=cache)
    address = cluster.get_runtime_context().gcs_address
    options = ["--data", photos.root, "--cache", cache, "--runs", tmp_path / "runs"]
    options += ["--executor", "ray", "--address", address]
    return ["sweep", *map(str, options)]


def results(tmp_path: Path) -> dict[Path, int]:
    """Returns the files of finished results with their times."""
    return {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/sweep/results/*.json")}


@pytest.fixture
def endless(command: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A sweep that has finished one head and is at one that takes for ever."""
    heads = ["--head", "prototype", "--head", "sgd", "--grid", "epochs=1000000000"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *command, *heads],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while len(results(tmp_path)) < 1 or not fitting():
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.torture)])
def test_an_interrupt_keeps_what_is_finished_and_ends_the_fits(
    number: int, endless: subprocess.Popen[str], command: list[str], tmp_path: Path
) -> None:
    kept = results(tmp_path)
    endless.send_signal(number)
    _, stderr = endless.communicate(timeout=60)
    assert endless.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.endswith("run the same command to continue\n")
    deadline = time.monotonic() + GONE_WITHIN_S
    while fitting() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not fitting()
    assert results(tmp_path) == kept
    ended = CliRunner().invoke(main, [*command, "--head", "prototype", "--head", "knn", "--resume", "--json"])
    assert json.loads(ended.stdout)["compared"] == 2
    assert results(tmp_path).items() >= kept.items()


def test_a_finished_sweep_needs_no_cluster(
    command: list[str], cluster: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = ["--head", "prototype"]
    assert CliRunner().invoke(main, [*command, *heads]).exit_code == 0
    command[-1] = "127.0.0.1:1"
    monkeypatch.setattr(cluster, "is_initialized", lambda: False)  # as in a process of its own
    ended = CliRunner().invoke(main, [*command, *heads, "--resume"])
    assert ended.exit_code == 0, ended.stderr
    assert "ray:" not in ended.stderr
    ended = CliRunner().invoke(main, [*command, *heads])
    assert ended.exit_code == 2
    assert ended.stderr.splitlines()[-1].startswith("pipeline: no Ray cluster at --address 127.0.0.1:1 (")
