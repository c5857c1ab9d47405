"""Stage two, killed while it saves: a head, a result, a leaderboard or a report is whole or absent."""

from __future__ import annotations

import csv
import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from interrupter import STAGE, Interrupter
from photos import Photos
from PIL import Image

from pipeline.heads import load_head

SEED = 21
COMMANDS = {
    "save a head": ("train-head", "--head", "logreg"),
    "keep a result": ("sweep", "--head", "logreg", "--grid", "C=0.1,1,10"),
    "save the best": ("sweep", "--head", "logreg", "--grid", "C=0.1,1,10"),
    "write the leaderboard": ("sweep", "--head", "logreg", "--grid", "C=0.1,1,10"),
    "write the report": ("evaluate", "--head", "logreg"),
}
REPORT = "metrics.json"
ROWS = 8
QUICK = 5


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def stored(photos: Photos, cache: Path, runs: Path, run: Callable[..., list]) -> list[object]:
    """Options that pick features of two classes in all splits."""
    for split in ("train", "val", "test"):
        photos.add(f"{split}/cats", ROWS // 2)
        photos.add(f"{split}/dogs", ROWS // 2)
    run(precision="float32")
    return ["--data", photos.root, "--cache", cache, "--runs", runs, *STAGE]


def assert_whole(runs: Path) -> set[str]:
    """Opens whatever a reader would find and returns its names: heads, results, boards and reports."""
    found = set()
    for path in runs.rglob("*"):
        parts = path.relative_to(runs).parts
        if any(part.startswith(".") for part in parts) or path.suffix == ".tmp":
            continue  # a draft, which no reader looks for
        found.add(path.name)
        if path.name == "logreg":
            load_head(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        elif path.name == "predictions.csv":
            with open(path, newline="") as file:
                assert len(list(csv.DictReader(file))) == ROWS
        if path.name == "test":
            assert {REPORT, "predictions.csv", "confusion_matrix.png"} <= {p.name for p in path.iterdir()}
    return found


@pytest.mark.parametrize(
    ("phase", "times"),
    [
        ("save a head", 1),
        ("write the leaderboard", 1),
        ("write the report", 1),
        *(pytest.param(phase, 20, marks=pytest.mark.torture) for phase in COMMANDS),
    ],
)
def test_what_a_kill_leaves_is_whole(
    phase: str,
    times: int,
    stored: list[object],
    runs: Path,
    interrupter: Interrupter,
    tell: Callable[[str], None],
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - chosen for the test, not for a secret
    if phase == "write the report":
        assert interrupter.run("none", 0, ["train-head", *stored]).code == 0
    command = [*COMMANDS[phase], *stored]
    if times < QUICK:  # saves the time of a whole run: every phase has more steps
        interrupter.steps[phase] = 60
    else:
        interrupter.learn(command)
    killed, before = 0, assert_whole(runs) if runs.exists() else set()
    for _ in range(times):
        result = interrupter.interrupt(phase, command, chance, signal.SIGKILL)
        assert result.reached, result.stderr
        killed += result.code == -signal.SIGKILL
        left = assert_whole(runs)
        assert "logreg" in left or "logreg" not in before  # a head gives way to a whole one only
        before = left
    if phase != "write the report":  # its drafts are in hidden folders, which nobody clears away
        result = interrupter.run("none", 0, command)
        assert result.code == 0, result.stderr
        assert_whole(runs)
        assert not [path for path in runs.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]
    tell(f"{killed} kills: every folder whole or absent")
